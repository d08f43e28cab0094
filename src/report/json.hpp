// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "trace/trace.hpp"

// The file of a trace: docs/trace-format.md.
namespace malloc_tracer::report {

std::string json_report(const trace::Trace& trace);

// Reads what json_report wrote, of this version of the format or an older one, and checks all of
// it. Throws Error, which says at which byte and what to do. Whatever the text holds, reading it
// takes less than 20 times its size of memory, and no recursion.
trace::Trace read_json(std::string_view text);

}  // namespace malloc_tracer::report
