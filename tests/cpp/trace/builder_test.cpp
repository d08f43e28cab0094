// SPDX-License-Identifier: MIT
#include "trace/builder.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "trace/snapshot_maker.hpp"

namespace malloc_tracer::trace {
namespace {

using snapshot::Allocator;
using test::freed;
using test::live;
using test::SnapshotMaker;

const Line& line_at(const Trace& trace, const std::string& file, int number) {
  for (const Line& line : trace.lines) {
    if (line.file == file && line.number == number) return line;
  }
  ADD_FAILURE() << "no line " << file << ':' << number;
  static const Line none;
  return none;
}

template <class Place>
const Place& named(const std::vector<Place>& places, const std::string& name) {
  for (const Place& place : places) {
    if (place.name == name) return place;
  }
  ADD_FAILURE() << "no " << name;
  static const Place none;
  return none;
}

template <class Place>
std::vector<std::string> names(const std::vector<Place>& places) {
  std::vector<std::string> result;
  for (const Place& place : places) result.push_back(place.name);
  return result;
}

using Names = std::vector<std::string>;

TEST(Build, OfNothingIsTheRootAlone) {
  const Trace trace = build({});
  EXPECT_EQ(trace.sum, Counters{});
  EXPECT_EQ(trace.nodes.size(), 1U);
  EXPECT_TRUE(trace.lines.empty() && trace.functions.empty() && trace.files.empty());
  EXPECT_TRUE(trace.threads.empty() && trace.allocators.empty());
}

TEST(Build, TakesOverTheFactsOfTheScope) {
  SnapshotMaker maker;
  maker.snapshot.name = "load";
  maker.snapshot.duration_ns = 1'234;
  maker.snapshot.timeline = {{0, 0}, {5, 77}};
  maker.snapshot.lost = {{"page map full", 3}};
  const Trace trace = build(maker.snapshot, {"3.13.0", {}, {}});
  EXPECT_EQ(trace.name, "load");
  EXPECT_EQ(trace.duration_ns, 1'234);
  EXPECT_EQ(trace.python_version, "3.13.0");
  ASSERT_EQ(trace.timeline.size(), 2U);
  EXPECT_EQ(trace.timeline[1].ns, 5);
  EXPECT_EQ(trace.timeline[1].live_bytes, 77U);
  EXPECT_EQ(trace.lost, maker.snapshot.lost);
}

TEST(Build, ChargesSelfToTheInnermostLineAndTotalToItsCallers) {
  SnapshotMaker maker;
  const auto f = maker.code("f", "/a.py", 10), g = maker.code("g", "/b.py", 20);
  const auto f12 = maker.node(0, f, 12);
  maker.row(f12, live(100));
  maker.row(maker.node(f12, g, 21), live(7, 2));
  maker.row(maker.node(f12, g, 22), freed(50));
  const Trace trace = build(maker.snapshot);

  Counters all = live(107, 3);
  all += freed(50);
  Counters g_all = live(7, 2);
  g_all += freed(50);
  EXPECT_EQ(trace.sum, all);
  EXPECT_EQ(line_at(trace, "/a.py", 12).self, live(100));
  EXPECT_EQ(line_at(trace, "/a.py", 12).total, all);
  EXPECT_EQ(line_at(trace, "/b.py", 21).self, live(7, 2));
  EXPECT_EQ(line_at(trace, "/b.py", 21).total, live(7, 2));
  EXPECT_EQ(line_at(trace, "/b.py", 22).total, freed(50));
  EXPECT_EQ(named(trace.functions, "f").self, live(100));
  EXPECT_EQ(named(trace.functions, "f").total, all);
  EXPECT_EQ(named(trace.functions, "g").self, g_all);
  EXPECT_EQ(named(trace.functions, "g").file, "/b.py");
  EXPECT_EQ(named(trace.files, "/a.py").total, all);
  EXPECT_EQ(named(trace.files, "/b.py").total, g_all);
}

TEST(Build, SumsRowsOfOneTriple) {
  SnapshotMaker maker;
  const auto node = maker.node(0, maker.code("f", "/a.py", 1), 1);
  maker.row(node, live(1));
  maker.row(node, live(2));
  EXPECT_EQ(line_at(build(maker.snapshot), "/a.py", 1).self, live(3, 2));
}

// f:1 -> f:2 -> g:11 -> f:1 -> f:1
TEST(Build, CountsABlockOnceInTotalHoweverOftenThePlaceStandsOnItsStack) {
  SnapshotMaker maker;
  const auto f = maker.code("f", "/a.py", 1), g = maker.code("g", "/a.py", 10);
  const auto outer = maker.node(0, f, 1);
  const auto g11 = maker.node(maker.node(outer, f, 2), g, 11);
  const auto inner = maker.node(maker.node(g11, f, 1), f, 1);
  maker.row(outer, live(1));
  maker.row(g11, live(10));
  maker.row(inner, live(100));
  const Trace trace = build(maker.snapshot);

  EXPECT_EQ(line_at(trace, "/a.py", 1).self, live(101, 2));
  EXPECT_EQ(line_at(trace, "/a.py", 1).total, live(111, 3));
  EXPECT_EQ(line_at(trace, "/a.py", 2).total, live(110, 2));
  EXPECT_EQ(line_at(trace, "/a.py", 11).total, live(110, 2));
  EXPECT_EQ(named(trace.functions, "f").total, live(111, 3));
  EXPECT_EQ(named(trace.functions, "g").total, live(110, 2));
  EXPECT_EQ(named(trace.files, "/a.py").total, live(111, 3));
}

// Two calls beside each other are not recursion: each adds to the total.
TEST(Build, AddsSiblingOccurrencesOfAPlace) {
  SnapshotMaker maker;
  const auto f = maker.code("f", "/a.py", 1), g = maker.code("g", "/b.py", 1);
  maker.row(maker.node(maker.node(0, f, 1), g, 5), live(1));
  maker.row(maker.node(maker.node(0, f, 2), g, 5), live(2));
  const Trace trace = build(maker.snapshot);
  EXPECT_EQ(line_at(trace, "/b.py", 5).total, live(3, 2));
  EXPECT_EQ(named(trace.functions, "g").total, live(3, 2));
}

TEST(Build, SurvivesDeepRecursion) {
  SnapshotMaker maker;
  const auto f = maker.code("f", "/a.py", 1);
  std::uint32_t node = 0;
  for (int depth = 0; depth < 200'000; ++depth) node = maker.node(node, f, 3);
  maker.row(node, live(8));
  const Trace trace = build(maker.snapshot);
  EXPECT_EQ(trace.nodes.size(), 200'001U);
  EXPECT_EQ(line_at(trace, "/a.py", 3).total, live(8));
}

// CPython 3.11 runs a comprehension as a function of its own.
TEST(Build, NamesALineAfterItsOutermostFunction) {
  SnapshotMaker maker;
  const auto comprehension = maker.code("f.<locals>.<listcomp>", "/a.py", 5);
  const auto f = maker.code("f", "/a.py", 1);
  const auto f5 = maker.node(0, f, 5);
  maker.row(maker.node(f5, comprehension, 5), live(32));
  maker.row(f5, live(8));
  const Trace trace = build(maker.snapshot);
  ASSERT_EQ(trace.lines.size(), 1U);
  EXPECT_EQ(trace.lines[0].function, "f");
  EXPECT_EQ(trace.lines[0].self, live(40, 2));
  EXPECT_EQ(trace.lines[0].total, live(40, 2));
  EXPECT_EQ(named(trace.functions, "f").total, live(40, 2));
  EXPECT_EQ(named(trace.functions, "f.<locals>.<listcomp>").self, live(32));
}

TEST(Build, NamesALineAfterTheFunctionNearestToTheRootEvenIfItCameLater) {
  SnapshotMaker maker;
  const auto lambda = maker.code("f.<locals>.<lambda>", "/a.py", 5);
  const auto f = maker.code("f", "/a.py", 1), g = maker.code("g", "/b.py", 1);
  maker.row(maker.node(maker.node(0, g, 1), lambda, 5), live(32));
  maker.row(maker.node(0, f, 5), live(8));
  EXPECT_EQ(line_at(build(maker.snapshot), "/a.py", 5).function, "f");
}

TEST(Build, KeepsFunctionsOfOneNameInTwoFilesApart) {
  SnapshotMaker maker;
  maker.row(maker.node(0, maker.code("f", "/a.py", 1), 1), live(2));
  maker.row(maker.node(0, maker.code("f", "/b.py", 1), 1), live(1));
  const Trace trace = build(maker.snapshot);
  ASSERT_EQ(trace.functions.size(), 2U);
  EXPECT_EQ(trace.functions[0].file, "/a.py");
  EXPECT_EQ(trace.functions[1].file, "/b.py");
}

// A code object that was made anew (a nested function, a reloaded module) is the same place.
TEST(Build, MergesNodesOfEqualParentFunctionFileAndLine) {
  SnapshotMaker maker;
  const auto f = maker.code("f", "/a.py", 1);
  const auto g = maker.code("g", "/b.py", 1), g_again = maker.code("g", "/b.py", 1);
  const auto outer = maker.node(0, f, 2);
  maker.row(maker.node(outer, g, 3), live(1));
  maker.row(maker.node(outer, g_again, 3), live(2));
  maker.row(maker.node(outer, g_again, 4), live(4));
  maker.row(maker.node(maker.node(0, f, 3), g, 3), live(8));
  const Trace trace = build(maker.snapshot);

  ASSERT_EQ(trace.nodes.size(), 6U);
  const Node& merged = trace.nodes[2];
  EXPECT_EQ(merged.frame.function, "g");
  EXPECT_EQ(merged.frame.file, "/b.py");
  EXPECT_EQ(merged.frame.line, 3);
  EXPECT_EQ(merged.parent, 1U);
  EXPECT_EQ(merged.self, live(3, 2));
  EXPECT_EQ(trace.nodes[1].children, (std::vector<std::uint32_t>{3, 2})) << "largest first";
  EXPECT_EQ(trace.nodes[1].total, live(7, 3));
  EXPECT_EQ(trace.nodes[0].children, (std::vector<std::uint32_t>{4, 1})) << "largest first";
  EXPECT_EQ(trace.nodes[0].total, live(15, 4));
  EXPECT_EQ(trace.nodes[0].frame.function, "");
}

TEST(Build, GivesANodeWithoutCodeToTheNearestFrameAbove) {
  SnapshotMaker maker;
  const auto f = maker.code("f", "/a.py", 1);
  const auto f1 = maker.node(0, f, 1);
  const auto marker = maker.node_without_code(f1);
  maker.row(marker, live(1));
  maker.row(maker.node(marker, f, 2), live(2));
  maker.row(maker.node(f1, f, 2), live(4));
  const Trace trace = build(maker.snapshot);
  ASSERT_EQ(trace.nodes.size(), 3U);
  EXPECT_EQ(trace.nodes[1].self, live(1));
  EXPECT_EQ(trace.nodes[2].self, live(6, 2));
}

TEST(Build, ChargesBlocksWithoutAFrameToNative) {
  SnapshotMaker maker;
  maker.row(0, live(5));
  maker.row(maker.node_without_code(0), live(6));
  maker.row(maker.node(0, maker.code("f", "/a.py", 1), 1), live(100));
  const Trace trace = build(maker.snapshot);

  EXPECT_EQ(trace.sum, live(111, 3));
  EXPECT_EQ(trace.nodes[0].self, live(11, 2));
  const Line& line = line_at(trace, "<native>", 0);
  EXPECT_EQ(line.function, "<native>");
  EXPECT_EQ(line.self, live(11, 2));
  EXPECT_EQ(line.total, live(11, 2));
  EXPECT_EQ(named(trace.functions, "<native>").file, "<native>");
  EXPECT_EQ(named(trace.functions, "<native>").total, live(11, 2));
  EXPECT_EQ(named(trace.files, "<native>").kind, Kind::kNative);
  EXPECT_EQ(named(trace.files, "<native>").self, live(11, 2));
}

// MAKE_CELL, COPY_FREE_VARS and the like have no line in 3.11+ tables, yet a cell is a block.
TEST(Build, ChargesInstructionsWithoutALineToTheFirstLineOfTheirFunction) {
  SnapshotMaker maker;
  const auto f = maker.code("f", "/a.py", 30);
  maker.snapshot.codes[f].line_table = "\xf8\xd8\x01\x02";
  maker.row(maker.node(0, f, 30), live(40));
  maker.row(maker.node(0, f, 31), live(1));
  const Trace trace = build(maker.snapshot);
  EXPECT_EQ(line_at(trace, "/a.py", 30).self, live(40));
  EXPECT_EQ(line_at(trace, "/a.py", 31).self, live(1));
}

TEST(Build, ListsOnlyPlacesWhereSomethingHappened) {
  SnapshotMaker maker;
  maker.snapshot.threads.push_back({2, "idle"});
  const auto f = maker.code("f", "/a.py", 1), g = maker.code("g", "/b.py", 1);
  const auto outer = maker.node(0, f, 1);
  maker.row(maker.node(outer, f, 2), live(1), Allocator::kNew);
  maker.row(maker.node(outer, g, 2), {}, Allocator::kMmap, 1);
  const Trace trace = build(maker.snapshot);
  EXPECT_EQ(trace.nodes.size(), 3U);
  EXPECT_EQ(trace.lines.size(), 2U);
  EXPECT_EQ(names(trace.functions), Names{"f"});
  EXPECT_EQ(names(trace.files), Names{"/a.py"});
  EXPECT_EQ(names(trace.threads), Names{"main"});
  EXPECT_EQ(names(trace.allocators), Names{"new"});
}

TEST(Build, NamesEveryAllocator) {
  SnapshotMaker maker;
  for (int i = 0; i < snapshot::kAllocatorCount; ++i) {
    maker.row(0, live(static_cast<std::uint64_t>(100 - i)), static_cast<Allocator>(i));
  }
  const Trace trace = build(maker.snapshot);
  EXPECT_EQ(names(trace.allocators), (Names{"python object", "python mem", "python raw", "malloc",
                                            "new", "mmap", "tracked"}));
  EXPECT_EQ(trace.allocators[2].self, live(98));
  EXPECT_EQ(trace.allocators[2].total, live(98));
}

TEST(Build, NamesThreadsByIdAndKeepsReusedIdsApart) {
  SnapshotMaker maker;
  maker.snapshot.threads = {{7, "python"}, {8, "pool-1"}, {8, "pool-2"}, {7, "python3"}};
  for (std::uint32_t thread = 0; thread < 4; ++thread) {
    maker.row(0, live(1000U >> thread), Allocator::kMalloc, thread);
  }
  const Trace trace = build(maker.snapshot, {"", {}, {{7, "MainThread"}, {9, "nobody"}}});
  EXPECT_EQ(names(trace.threads), (Names{"MainThread", "pool-1", "pool-2"}));
  EXPECT_EQ(trace.threads[0].id, 7U);
  EXPECT_EQ(trace.threads[0].self, live(1125, 2)) << "both entries of thread 7";
  EXPECT_EQ(trace.threads[0].total, live(1125, 2));
  EXPECT_EQ(trace.threads[2].self, live(250));
}

TEST(Build, SortsByTotalLiveThenTotalAllocatedThenPlace) {
  SnapshotMaker maker;
  const auto f = maker.code("f", "/b.py", 1), g = maker.code("g", "/a.py", 1);
  const auto f1 = maker.node(0, f, 1);
  maker.row(f1, live(1));
  maker.row(maker.node(f1, g, 9), live(50));
  maker.row(maker.node(0, f, 3), freed(60));
  maker.row(maker.node(0, f, 2), freed(60));
  maker.row(maker.node(0, g, 8), freed(60));
  maker.row(maker.node(0, g, 7), freed(90));
  const Trace trace = build(maker.snapshot);
  Names places;
  for (const Line& line : trace.lines)
    places.push_back(line.file.str() + std::to_string(line.number));
  EXPECT_EQ(places, (Names{"/b.py1", "/a.py9", "/a.py7", "/a.py8", "/b.py2", "/b.py3"}));
  EXPECT_EQ(names(trace.functions), (Names{"f", "g"}));
  EXPECT_EQ(names(trace.files), (Names{"/b.py", "/a.py"}));
}

TEST(Build, TellsYourFilesFromLibraries) {
  const BuildOptions options{"", {"", "/usr/lib/python3.13", "/venv/"}, {}};
  const auto kind = [&](const std::string& file) {
    SnapshotMaker maker;
    maker.row(maker.node(0, maker.code("f", file, 1), 1), live(1));
    const Trace trace = build(maker.snapshot, options);
    EXPECT_EQ(trace.nodes[1].frame.kind, trace.files[0].kind);
    return std::string(kind_name(trace.files[0].kind));
  };
  EXPECT_EQ(kind("/usr/lib/python3.13/json/decoder.py"), "library");
  EXPECT_EQ(kind("/venv/lib/numpy/core.py"), "library");
  EXPECT_EQ(kind("<frozen importlib._bootstrap>"), "library");
  EXPECT_EQ(kind("/usr/lib/python3.13-mine/a.py"), "yours");
  EXPECT_EQ(kind("/home/venv/a.py"), "yours");
  EXPECT_EQ(kind("<string>"), "yours");
  EXPECT_EQ(kind("<native>"), "native");
}

}  // namespace
}  // namespace malloc_tracer::trace
