// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "trace/trace.hpp"

// speedscope's file format: one profile for each of the ten numbers, that of the peak shown first.
// The widths are bytes or blocks, not time. A profile is sampled, or evented where that is smaller:
// in deep trees. Negative numbers of a difference are left out:
// speedscope has none.
namespace malloc_tracer::report {

std::string speedscope(const trace::Trace& trace);

}  // namespace malloc_tracer::report
