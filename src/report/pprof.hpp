// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "report/options.hpp"
#include "trace/trace.hpp"

// pprof's profile.proto, not compressed, with the sample types alloc_space, alloc_objects,
// inuse_space, inuse_objects and peak_space; inuse_space is the default. `go tool pprof` and
// Pyroscope read it, gzipped or not.
namespace malloc_tracer::report {

std::string pprof(const trace::Trace& trace, const ReportOptions& options);

}  // namespace malloc_tracer::report
