// SPDX-License-Identifier: MIT
#pragma once

#include "trace/trace.hpp"

namespace malloc_tracer::trace {

// What changed from `earlier` to `later`: a trace whose numbers are later - earlier. Lines are
// matched by function and text (line_matcher.hpp), so that a line that has only moved is no change.
// Files that only one of them names are matched if they are the only ones of their last name. A
// line that `later` does not have is -number, its number in the earlier file. Throws Error if one
// of them is a difference.
Trace diff(const Trace& later, const Trace& earlier);

}  // namespace malloc_tracer::trace
