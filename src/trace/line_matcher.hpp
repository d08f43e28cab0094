// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>
#include <vector>

#include "trace/source_lines.hpp"

namespace malloc_tracer::trace {

// The lines of one function that have numbers in one of the two traces of a difference.
struct FunctionLines {
  const SourceLines& sources;
  std::string_view file;
  std::vector<int> numbers;  // ascending
};

// Which line of the later function each line of the earlier one is: its number there, or its own,
// negated, if it is gone. In this order:
// 1. From the top down, the line of equal text (blanks around it aside) below the one found last;
//    of several the one that has moved as far as that one.
// 2. A line that stands in another order now: of equal text, and not taken yet.
// 3. An edited line: one earlier and one later line are left between two lines found in step 1, or
//    between such a line and the function's end. Where more are left, none of them is matched: what
//    became of what would be a guess.
// Where one of the files has no text, lines are the same by their number alone.
std::vector<int> match_lines(const FunctionLines& earlier, const FunctionLines& later);

}  // namespace malloc_tracer::trace
