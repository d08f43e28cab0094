// SPDX-License-Identifier: MIT
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "report/options.hpp"
#include "trace/trace.hpp"

// The one list of formats. A new one is a file in this folder and a line in formats.cpp.
namespace malloc_tracer::report {

struct Format {
  std::string_view name;
  std::string_view suffix;
  std::string (*write)(const trace::Trace&, const ReportOptions&);  // UTF-8, or bytes
  bool is_binary;
};

std::span<const Format> formats();

}  // namespace malloc_tracer::report
