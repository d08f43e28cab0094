// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/text.hpp"

// The text report of a trace that brings its own source text and says itself what to list: one that
// was read from a file, added up, or is a difference.
namespace malloc_tracer::report {

std::string listing_report(const trace::Trace& trace);
std::string listing_report(const trace::Trace& trace, std::vector<Column> columns,
                           std::optional<Related> related);

}  // namespace malloc_tracer::report
