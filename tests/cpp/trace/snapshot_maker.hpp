// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "snapshot/snapshot.hpp"

// Writes snapshots by hand. Every code object made here has one instruction a line: the instruction
// at offset 2 * k stands on line first_line + k, for k below 64.
namespace malloc_tracer::test {

using snapshot::Allocator;
using snapshot::Counters;

// `count` blocks of `bytes` in all that were allocated and never freed.
inline Counters live(std::uint64_t bytes, std::uint64_t count = 1) {
  return {bytes, count, bytes, count, bytes, count, 0, 0, 0, 0};
}

// `count` blocks of `bytes` in all that were freed before the peak.
inline Counters freed(std::uint64_t bytes, std::uint64_t count = 1) {
  return {0, 0, 0, 0, bytes, count, bytes, count, 0, 0};
}

class SnapshotMaker {
 public:
  SnapshotMaker() {
    snapshot.nodes.emplace_back();
    snapshot.threads.push_back({1, "main"});
  }

  std::uint32_t code(const std::string& function, const std::string& file, int first_line) {
    std::string table = "\xd0\x01\x02";
    for (int k = 1; k < 64; ++k) table += "\xd8\x01\x02";
    snapshot.codes.push_back({function, file, first_line, table});
    return static_cast<std::uint32_t>(snapshot.codes.size() - 1);
  }

  // A call of `code` from `parent` that stands on `line`.
  std::uint32_t node(std::uint32_t parent, std::uint32_t code, int line) {
    const auto offset = static_cast<std::uint32_t>(2 * (line - snapshot.codes[code].first_line));
    snapshot.nodes.push_back({parent, code, offset});
    return static_cast<std::uint32_t>(snapshot.nodes.size() - 1);
  }

  std::uint32_t node_without_code(std::uint32_t parent) {
    snapshot.nodes.push_back({parent, snapshot::SnapshotNode::kNoCode, 0});
    return static_cast<std::uint32_t>(snapshot.nodes.size() - 1);
  }

  void row(std::uint32_t node, const Counters& counters, Allocator allocator = Allocator::kMalloc,
           std::uint32_t thread = 0) {
    snapshot.rows.push_back({node, thread, allocator, counters});
  }

  snapshot::Snapshot snapshot;
};

}  // namespace malloc_tracer::test
