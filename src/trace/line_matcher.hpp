// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "trace/function_text.hpp"

namespace malloc_tracer::trace {

// Which line of the later function each line of the earlier one is: its number there, or its own,
// negated, if it is gone. In this order:
// 1. The text of both functions is aligned (blanks around a line aside).
// 2. A line that stands in another order now: of equal text, and not taken yet.
// 3. An edited line: one earlier and one later line are left between two lines found in step 1, or
//    between such a line and the function's end. Where more are left, none of them is matched: what
//    became of what would be a guess.
// Where one of the files has no text, lines are the same by their number alone.
std::vector<int> match_lines(const FunctionLines& earlier, const FunctionLines& later);

}  // namespace malloc_tracer::trace
