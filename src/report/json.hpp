// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "trace/trace.hpp"

// The file of a trace: docs/trace-format.md.
namespace malloc_tracer::report {

std::string json_report(const trace::Trace& trace);

// The same for the page alone, with another `format`: nodes.parent and rows.node, which count up,
// are written as steps from the row before, since digits that count up hardly compress. A page of
// 100,000 nodes is a quarter smaller.
std::string json_for_page(const trace::Trace& trace);

// Reads what json_report wrote, of this version of the format or an older one, and checks all of
// it. Throws Error, which says at which byte and what to do. Whatever the text holds, reading it
// takes less than 20 times its size of memory, and no recursion.
trace::Trace read_json(std::string_view text);

}  // namespace malloc_tracer::report
