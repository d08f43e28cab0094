// SPDX-License-Identifier: MIT
// The builder against a slow and obvious computation: every row is added, by its whole stack of
// frames, to whatever stands on that stack.
#include <gtest/gtest.h>

#include <cstdint>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "trace/builder.hpp"
#include "trace/snapshot_maker.hpp"

namespace malloc_tracer::trace {
namespace {

using snapshot::Allocator;
using snapshot::Snapshot;
using snapshot::SnapshotNode;
using snapshot::SnapshotRow;
using test::SnapshotMaker;

struct SelfTotal {
  Counters self, total;
  friend bool operator==(const SelfTotal&, const SelfTotal&) = default;
};
using Sums = std::map<std::string, SelfTotal>;

struct Expected {
  Sums lines, functions, files, paths;
  std::map<std::string, Counters> threads, allocators;
  Counters sum;
};

snapshot::Counters random_counters(std::mt19937& random) {
  const auto number = [&] { return std::uint64_t{random() % 1000}; };
  snapshot::Counters counters;
  counters.live_bytes = number();
  counters.live_count = number();
  counters.freed_bytes = number();
  counters.freed_count = number();
  counters.allocated_bytes = counters.live_bytes + counters.freed_bytes;
  counters.allocated_count = counters.live_count + counters.freed_count;
  counters.peak_bytes = counters.live_bytes + number() % (counters.freed_bytes + 1);
  counters.peak_count = counters.live_count + number() % (counters.freed_count + 1);
  counters.temporary_count = number();
  counters.reallocated_count = number();
  return counters;
}

// Few names and lines, so that places recur on one stack; some nodes without code or events.
Snapshot random_snapshot(std::mt19937& random) {
  SnapshotMaker maker;
  maker.snapshot.threads = {{1, "a"}, {2, "b"}, {3, "c"}};
  const std::vector<std::string> functions = {"f", "g", "h", "C.f", "C.g"};
  const std::vector<std::string> files = {"/a.py", "/b.py", "/c.py"};
  for (std::size_t i = 0; i < 8; ++i) {
    maker.code(functions[i % 5], files[i % 3], i % 2 == 0 ? 1 : 3);
  }
  const std::size_t size = 1 + random() % 200;
  while (maker.snapshot.nodes.size() < size) {
    const auto nodes = static_cast<std::uint32_t>(maker.snapshot.nodes.size());
    const auto parent =
        random() % 2 == 0 ? nodes - 1 : static_cast<std::uint32_t>(random() % nodes);
    if (random() % 8 == 0) {
      maker.node_without_code(parent);
    } else {
      maker.node(parent, static_cast<std::uint32_t>(random() % 8),
                 3 + static_cast<int>(random() % 4));
    }
  }
  for (std::size_t i = 0; i < size; ++i) {
    maker.row(static_cast<std::uint32_t>(random() % size), random_counters(random),
              static_cast<Allocator>(random() % snapshot::kAllocatorCount),
              static_cast<std::uint32_t>(random() % 3));
  }
  return maker.snapshot;
}

// Outermost first.
std::vector<Frame> stack_of(const Snapshot& snapshot, std::uint32_t node) {
  std::vector<Frame> stack;
  for (; node != 0; node = snapshot.nodes[node].parent) {
    const SnapshotNode& at = snapshot.nodes[node];
    if (at.code == SnapshotNode::kNoCode) continue;
    const snapshot::SnapshotCode& code = snapshot.codes[at.code];
    const int line = code.first_line + static_cast<int>(at.offset / 2);
    stack.insert(stack.begin(), {code.function, code.file, line, Kind::kYours});
  }
  return stack;
}

std::string line_key(const std::string& file, int line) {
  return file + ':' + std::to_string(line);
}
std::string function_key(const std::string& name, const std::string& file) {
  return name + " in " + file;
}
std::string frame_key(const Frame& frame) {
  return '/' + function_key(frame.function, line_key(frame.file, frame.line));
}

void add(Sums& sums, const std::vector<std::string>& stack, const Counters& counters) {
  for (const std::string& place : std::set<std::string>(stack.begin(), stack.end())) {
    sums[place].total += counters;
  }
  sums[stack.back()].self += counters;
}

Expected slowly(const Snapshot& snapshot) {
  Expected expected;
  for (const SnapshotRow& row : snapshot.rows) {
    std::vector<std::string> lines, functions, files, paths = {""};
    std::vector<Frame> stack = stack_of(snapshot, row.node);
    for (const Frame& frame : stack) paths.push_back(paths.back() + frame_key(frame));
    if (stack.empty()) stack.push_back({"<native>", "<native>", 0, Kind::kNative});
    for (const Frame& frame : stack) {
      lines.push_back(line_key(frame.file, frame.line));
      functions.push_back(function_key(frame.function, frame.file));
      files.push_back(frame.file);
    }
    add(expected.lines, lines, row.counters);
    add(expected.functions, functions, row.counters);
    add(expected.files, files, row.counters);
    add(expected.paths, paths, row.counters);
    expected.threads[snapshot.threads[row.thread].name] += row.counters;
    expected.allocators[std::to_string(static_cast<int>(row.allocator))] += row.counters;
    expected.sum += row.counters;
  }
  return expected;
}

template <class Places, class Key>
Sums sums_of(const Places& places, Key key) {
  Sums sums;
  for (const auto& place : places) sums[key(place)] = {place.self, place.total};
  EXPECT_EQ(sums.size(), places.size()) << "a place occurs twice";
  return sums;
}

template <class Places>
Counters self_of(const Places& places) {
  Counters sum;
  for (const auto& place : places) sum += place.self;
  return sum;
}

Sums paths_of(const Trace& trace) {
  std::vector<std::string> paths = {""};
  for (std::size_t i = 1; i < trace.nodes.size(); ++i) {
    EXPECT_LT(trace.nodes[i].parent, i) << "parents come first";
    paths.push_back(paths[trace.nodes[i].parent] + frame_key(trace.nodes[i].frame));
  }
  std::size_t next = 0;
  return sums_of(trace.nodes, [&](const Node&) { return paths[next++]; });
}

void expect_adds_up(const Trace& trace) {
  EXPECT_EQ(self_of(trace.lines), trace.sum);
  EXPECT_EQ(self_of(trace.functions), trace.sum);
  EXPECT_EQ(self_of(trace.files), trace.sum);
  EXPECT_EQ(self_of(trace.threads), trace.sum);
  EXPECT_EQ(self_of(trace.allocators), trace.sum);
  EXPECT_EQ(self_of(trace.nodes), trace.sum);
}

void expect_equal(const Trace& trace, const Expected& expected) {
  EXPECT_EQ(trace.sum, expected.sum);
  EXPECT_EQ(sums_of(trace.lines, [](const Line& l) { return line_key(l.file, l.number); }),
            expected.lines);
  EXPECT_EQ(
      sums_of(trace.functions, [](const Function& f) { return function_key(f.name, f.file); }),
      expected.functions);
  EXPECT_EQ(sums_of(trace.files, [](const File& f) { return f.name; }), expected.files);
  EXPECT_EQ(paths_of(trace), expected.paths);
  EXPECT_EQ(trace.threads.size(), expected.threads.size());
  for (const Thread& thread : trace.threads) {
    EXPECT_EQ(thread.self, expected.threads.at(thread.name));
  }
  EXPECT_EQ(trace.allocators.size(), expected.allocators.size());
}

TEST(BuildRandom, AgreesWithTheSlowComputationAndAddsUp) {
  std::mt19937 random(20);
  for (int round = 0; round < 300; ++round) {
    const Snapshot snapshot = random_snapshot(random);
    const Trace trace = build(snapshot);
    expect_equal(trace, slowly(snapshot));
    expect_adds_up(trace);
    if (HasFailure()) FAIL() << "in round " << round;
  }
}

TEST(BuildRandom, LineOfAFunctionAgreesWithTheSlowComputation) {
  std::mt19937 random(21);
  for (int round = 0; round < 100; ++round) {
    const Snapshot snapshot = random_snapshot(random);
    Sums expected;
    for (const SnapshotRow& row : snapshot.rows) {
      std::vector<std::string> stack;
      for (const Frame& frame : stack_of(snapshot, row.node)) {
        stack.push_back(line_key(frame.function, frame.line));
      }
      if (!stack.empty()) add(expected, stack, row.counters);
    }
    const Trace trace = build(snapshot);
    for (const auto& [key, sums] : expected) {
      const std::size_t colon = key.find(':');
      const Line line = trace.line(key.substr(0, colon), std::stoi(key.substr(colon + 1)));
      EXPECT_EQ((SelfTotal{line.self, line.total}), sums) << key << " in round " << round;
    }
  }
}

}  // namespace
}  // namespace malloc_tracer::trace
