// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "report/options.hpp"
#include "trace/trace.hpp"

// speedscope's file format: one profile for each of the ten numbers that is not zero. The widths
// are bytes or blocks, not time. Negative numbers of a difference are left out: speedscope has
// none.
namespace malloc_tracer::report {

std::string speedscope(const trace::Trace& trace, const ReportOptions& options);

}  // namespace malloc_tracer::report
