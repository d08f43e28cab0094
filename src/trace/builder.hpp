// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "snapshot/snapshot.hpp"
#include "trace/trace.hpp"

namespace malloc_tracer::trace {

struct BuildOptions {
  std::string python_version;
  std::vector<std::string>
      library_prefixes;  // a file below one of these is Kind::kLibrary, as are "<frozen ...>" files
  std::unordered_map<std::uint64_t, std::string>
      thread_names;  // by thread id; wins over the snapshot's name
  std::vector<std::string> command = {};
  std::int64_t time_ms = 0;
};

// Resolves every distinct {code, offset} once, merges nodes of equal {parent, function, file,
// line}, and sums the tree to lines, functions, files, threads and allocators. Pure; O(nodes +
// rows).
Trace build(const snapshot::Snapshot& snapshot, const BuildOptions& options = {});

}  // namespace malloc_tracer::trace
