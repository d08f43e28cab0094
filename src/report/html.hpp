// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "trace/trace.hpp"

namespace malloc_tracer::report {

// One page that needs nothing else, offline and without scripts too: page.html, which viewer/
// builds, with the tables of html_table.hpp and the file of trace-format.md put in.
std::string html_report(const trace::Trace& trace);

}  // namespace malloc_tracer::report
