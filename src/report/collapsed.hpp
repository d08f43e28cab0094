// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "report/options.hpp"
#include "trace/trace.hpp"

// Collapsed stacks, as flamegraph.pl, inferno and speedscope read them: one line per call path,
// "frame;frame;frame bytes", the bytes at the scope's peak. Negative numbers of a difference are
// left out: these tools have none.
namespace malloc_tracer::report {

std::string collapsed(const trace::Trace& trace, const ReportOptions& options);

}  // namespace malloc_tracer::report
