// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "snapshot/counters.hpp"

// All that leaves the hook zone: one scope as plain data, no pointer into the engine. Made when a
// scope ends (or is looked at), outside malloc, so ordinary containers are allowed here.
namespace malloc_tracer::snapshot {

enum class Allocator : std::uint8_t {
  kPythonObject,
  kPythonMem,
  kPythonRaw,
  kMalloc,
  kNew,
  kMmap,
  kTracked,  // known only through PyTraceMalloc_Track
};
inline constexpr int kAllocatorCount = 7;

// A code object as it was when first seen: copies, since code objects die and addresses recur.
struct SnapshotCode {
  std::string function;    // qualified name, UTF-8
  std::string file;        // co_filename as it stands, UTF-8
  int first_line = 0;      // co_firstlineno
  std::string line_table;  // co_linetable (3.11+ location table), decoded by symbols/python_lines
};

// A node of the call tree. Parents come before their children; node 0 is the root and has no frame.
struct SnapshotNode {
  static constexpr std::uint32_t kNoCode = 0xffffffff;
  std::uint32_t parent = 0;
  std::uint32_t code = kNoCode;  // index in `codes`; kNoCode: not a Python frame
  std::uint32_t offset = 0;      // bytes from the first instruction of the code object
};

// Counters of one {node, allocator, thread}; a triple may occur more than once.
struct SnapshotRow {
  std::uint32_t node = 0;
  std::uint32_t thread = 0;  // index in `threads`
  Allocator allocator = Allocator::kMalloc;
  Counters counters;
};

struct SnapshotThread {
  std::uint64_t id = 0;  // the operating system's thread id
  std::string name;      // the operating system's thread name
};

struct TimelinePoint {
  std::int64_t ns = 0;  // since the scope began
  std::uint64_t live_bytes = 0;
};

struct Snapshot {
  std::string name;
  std::int64_t duration_ns = 0;
  std::vector<SnapshotCode> codes;
  std::vector<SnapshotNode> nodes;
  std::vector<SnapshotRow> rows;
  std::vector<SnapshotThread> threads;
  std::vector<TimelinePoint> timeline;     // at most 1,024 points, in time order
  std::vector<std::uint64_t> block_sizes;  // blocks allocated, by the bit width of their size
  std::vector<std::pair<std::string, std::uint64_t>>
      lost;  // what could not be recorded: reason, how often
};

}  // namespace malloc_tracer::snapshot
