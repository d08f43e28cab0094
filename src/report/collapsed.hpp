// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "trace/trace.hpp"

// Collapsed stacks, as flamegraph.pl, inferno and speedscope read them: one line per call path,
// "frame;frame;frame bytes", the bytes at the scope's peak. A `;` in a name becomes `:`. Negative
// numbers of a difference are left out: these tools have none.
namespace malloc_tracer::report {

std::string collapsed(const trace::Trace& trace);

}  // namespace malloc_tracer::report
