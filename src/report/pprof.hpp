// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "trace/trace.hpp"

// pprof's profile.proto, gzipped, with the sample types alloc_space, alloc_objects, inuse_space,
// inuse_objects and peak_space; inuse_space is the default. Each sample is labelled with its
// `thread` and `allocator`. Read by `go tool pprof`, Pyroscope and Parca.
namespace malloc_tracer::report {

std::string pprof(const trace::Trace& trace);

}  // namespace malloc_tracer::report
