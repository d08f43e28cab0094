// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "trace/trace.hpp"

// The file format of Valgrind's DHAT, version 2, for dh_view.html and the Firefox Profiler.
// Lifetimes are not known and written as 0; a program point's own maximum is its share at the
// scope's peak.
namespace malloc_tracer::report {

std::string dhat(const trace::Trace& trace);

}  // namespace malloc_tracer::report
