// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace malloc_tracer::report {

// Untrusted text (source, file names) as a terminal may safely have it: valid UTF-8 on one line,
// read from left to right. Tabs become spaces (stops of 8 from the text's start), control
// characters
// `\x1b`, bidirectional controls and line separators `\u202e`, invalid UTF-8 `\ufffd` (one for each
// maximal invalid part, as Python's errors="replace" has it). Independent of the locale.
std::string printable(std::string_view text);

}  // namespace malloc_tracer::report
