// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "snapshot/counters.hpp"
#include "snapshot/snapshot.hpp"
#include "trace/text.hpp"

// The immutable result of one scope, of several added up (merge.hpp), or the difference of two
// (diff.hpp). Built once, then only read, from any thread. Every list holds `self` (the innermost
// frame is this place) and `total` (this place or anything it called; a block counts once, however
// often the place stands on its stack). The `self` of each list adds up to `sum`, for all ten
// numbers.
namespace malloc_tracer::trace {

using snapshot::TimelinePoint;

using Counters = snapshot::CountersOf<std::int64_t>;

// The ten numbers in their one order, for whoever treats them alike.
struct Number {
  std::string_view name;
  std::int64_t Counters::*value;
};
inline constexpr Number kNumbers[] = {{"live_bytes", &Counters::live_bytes},
                                      {"live_count", &Counters::live_count},
                                      {"peak_bytes", &Counters::peak_bytes},
                                      {"peak_count", &Counters::peak_count},
                                      {"allocated_bytes", &Counters::allocated_bytes},
                                      {"allocated_count", &Counters::allocated_count},
                                      {"freed_bytes", &Counters::freed_bytes},
                                      {"freed_count", &Counters::freed_count},
                                      {"temporary_count", &Counters::temporary_count},
                                      {"reallocated_count", &Counters::reallocated_count}};

// File and function of blocks without a Python frame; their line is 0.
inline constexpr std::string_view kNativePlace = "<native>";

enum class Kind : std::uint8_t { kYours, kLibrary, kNative };
std::string_view kind_name(Kind kind);  // "yours", "library", "native"

// In a difference a line that only the earlier trace has carries its number there, negated.
struct Line {
  Text file;
  int number = 0;
  Text function;  // the outermost function seen on this line
  Counters self, total;
};

struct Function {
  Text name;  // qualified name
  Text file;
  Counters self, total;
};

struct File {
  Text name;
  Kind kind = Kind::kYours;
  Counters self, total;
};

struct Thread {
  Text name;
  std::uint64_t id = 0;
  Counters self, total;  // equal: a thread calls no other thread
};

struct AllocatorUse {
  Text name;  // "python object", "python mem", "python raw", "malloc", "new", "mmap", "tracked"
  Counters self, total;  // equal
};

struct Frame {
  Text function;
  Text file;
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

// What one node allocated itself on one thread from one allocator. In a difference the earlier
// trace's rows stand beside the later one's, negated.
struct Row {
  std::uint32_t node = 0;
  std::uint32_t thread = 0;     // index in `threads`
  std::uint32_t allocator = 0;  // index in `allocators`
  bool is_earlier = false;
  Counters self;
};

// Text of a file, or of a part of it, as it was when traced.
struct Source {
  Text file;
  int first_line = 1;
  std::string text;         // lines joined with \n
  bool is_earlier = false;  // in a difference: the earlier trace's
};

enum class Related : std::uint8_t { kNone, kForEachFile, kInDescendingOrder };

// What the text listing shows when nothing else is asked for.
struct Listing {
  struct Stretch {
    Text file;
    int first_line = 1, last_line = 1;
    std::string note;  // why there is no source, if so
  };
  std::vector<Stretch> stretches;
  std::string empty_note;  // said if there are no stretches
  Related related = Related::kNone;
  std::vector<std::string> include, exclude;  // patterns of the related lines' file names
};

// Lists are sorted by total live bytes, then total allocated bytes (largest first), then place.
struct Trace {
  std::string name;
  std::string python_version;  // empty in C++ programs
  std::vector<std::string> command;
  std::int64_t time_ms = 0;  // when it was taken, since 1970; 0: not known
  std::int64_t duration_ns = 0;
  bool is_difference = false;
  Counters sum;
  std::vector<Line> lines;
  std::vector<Function> functions;
  std::vector<File> files;
  std::vector<Thread> threads;
  std::vector<AllocatorUse> allocators;
  std::vector<Node> nodes;
  std::vector<Row> rows;  // by node, then thread and allocator; none of zeros
  std::vector<TimelinePoint> timeline;
  std::vector<std::int64_t> block_sizes;  // allocated blocks by bit width of size: block_sizes.hpp
  std::vector<std::pair<std::string, std::uint64_t>> lost;
  std::vector<Source> sources;  // what has been handed in; reports work without
  Listing listing;

  // The line `number` of a file or of a function (its qualified name); zeros if nothing happened
  // there. A file name wins over a function of the same name.
  Line line(std::string_view function_or_file, int number) const;
};

// Whether two traces say the same; source text and listing are no part of it.
bool operator==(const Trace& a, const Trace& b);

}  // namespace malloc_tracer::trace
