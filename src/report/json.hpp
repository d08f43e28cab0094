// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "report/options.hpp"
#include "trace/trace.hpp"

// The file format of traces: docs/trace-format.md. Written here; read by python/malloc_tracer.
namespace malloc_tracer::report {

inline constexpr std::string_view kJsonFormat = "malloc_tracer trace";
inline constexpr int kJsonVersion = 1;

std::string json(const trace::Trace& trace, const ReportOptions& options);

}  // namespace malloc_tracer::report
