// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "trace/trace.hpp"

namespace malloc_tracer::report {

// A trace as a piece of HTML that needs nothing else: its numbers in one sentence, and the listed
// source, or the largest lines where there is none, as a table of at most 200 rows. Inline styles
// only, no script, colours from the page around it: notebooks show it, and pages without scripts.
std::string html_table(const trace::Trace& trace);

// The 50 largest lines, wherever they are, in the same form.
std::string html_largest_lines(const trace::Trace& trace);

// Untrusted text (names, source) as HTML may have it: one line of visible characters, escaped.
std::string html_text(std::string_view text);

}  // namespace malloc_tracer::report
