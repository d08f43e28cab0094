// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "trace/trace.hpp"

// The list of all formats. A new one is a file with a pure function from a trace to its bytes, and
// a line in formats.cpp; Python's `report`, `save` and the command line find it here.
namespace malloc_tracer::report {

struct Format {
  std::string_view name;    // of `report(format)` and --format
  std::string_view suffix;  // of a file in this format
  bool is_text;             // UTF-8; else bytes
  std::string (*write)(const trace::Trace& trace);
};

std::span<const Format> formats();

}  // namespace malloc_tracer::report
