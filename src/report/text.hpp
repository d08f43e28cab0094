// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "report/options.hpp"
#include "trace/trace.hpp"

// The listing of malloc_tracer 1.7: source lines with numbers beside them. A pure function of a
// trace and of the source text that is handed in; never depends on terminal, width, locale or
// colour.
namespace malloc_tracer::report {

std::string text_report(const trace::Trace& trace, const ReportOptions& options);

// "7.9 KiB", "800 B": 1.7's format of a size (1024, one decimal except B).
std::string format_size(std::int64_t bytes);

}  // namespace malloc_tracer::report
