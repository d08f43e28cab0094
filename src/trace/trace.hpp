// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "snapshot/counters.hpp"
#include "snapshot/snapshot.hpp"

// The immutable result of one scope. Built once from a snapshot (builder.hpp), then only read, from
// any thread. Every list holds `self` (the innermost frame is this place) and `total` (this place
// or anything it called; a block counts once, however often the place stands on its stack). The
// `self` of each list adds up to `sum`, for all ten numbers.
namespace malloc_tracer::trace {

using snapshot::Counters;
using snapshot::TimelinePoint;

// File and function of blocks without a Python frame; their line is 0.
inline constexpr std::string_view kNativePlace = "<native>";

enum class Kind : std::uint8_t { kYours, kLibrary, kNative };
std::string_view kind_name(Kind kind);  // "yours", "library", "native"

struct Line {
  std::string file;
  int number = 0;
  std::string function;  // the outermost function seen on this line
  Counters self, total;
};

struct Function {
  std::string name;  // qualified name
  std::string file;
  Counters self, total;
};

struct File {
  std::string name;
  Kind kind = Kind::kYours;
  Counters self, total;
};

struct Thread {
  std::string name;
  std::uint64_t id = 0;
  Counters self, total;  // equal: a thread calls no other thread
};

struct AllocatorUse {
  std::string
      name;  // "python object", "python mem", "python raw", "malloc", "new", "mmap", "tracked"
  Counters self, total;  // equal
};

struct Frame {
  std::string function;
  std::string file;
  int line = 0;
  Kind kind = Kind::kYours;
};

// Node of the call tree; index 0 of Trace::nodes is the root, whose frame is empty. The children of
// a node are distinct {function, file, line}; a node's blocks without a Python frame below it are
// its `self` (for the root: the line `<native>`, 0).
struct Node {
  Frame frame;
  std::uint32_t parent = 0;
  std::vector<std::uint32_t> children;  // sorted as lists are
  Counters self, total;
};

// Lists are sorted by total live bytes, then total allocated bytes (largest first), then place.
struct Trace {
  std::string name;
  std::string python_version;  // empty in C++ programs
  std::int64_t duration_ns = 0;
  Counters sum;
  std::vector<Line> lines;
  std::vector<Function> functions;
  std::vector<File> files;
  std::vector<Thread> threads;
  std::vector<AllocatorUse> allocators;
  std::vector<Node> nodes;
  std::vector<TimelinePoint> timeline;
  std::vector<std::pair<std::string, std::uint64_t>> lost;

  // The line `number` of a file or of a function (its qualified name); zeros if nothing happened
  // there. A file name wins over a function of the same name.
  Line line(std::string_view function_or_file, int number) const;
};

}  // namespace malloc_tracer::trace
