// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include "trace/trace.hpp"

namespace malloc_tracer::trace {

// Adds traces up: many calls, processes or workers as one trace. Places are the same by name and
// line, threads by name and number. `peak_*` is the sum of the peaks, which the program need not
// have had at one moment. Throws Error for no traces and for differences.
Trace merge(std::span<const Trace* const> traces);

}  // namespace malloc_tracer::trace
