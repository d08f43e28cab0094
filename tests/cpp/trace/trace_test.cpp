// SPDX-License-Identifier: MIT
#include "trace/trace.hpp"

#include <gtest/gtest.h>

#include "trace/builder.hpp"
#include "trace/snapshot_maker.hpp"

namespace malloc_tracer::trace {
namespace {

using test::live;
using test::SnapshotMaker;

TEST(TraceLine, OfAFileIsItsLine) {
  SnapshotMaker maker;
  const auto f = maker.code("f", "/a.py", 1);
  const auto f2 = maker.node(0, f, 2);
  maker.row(f2, live(1));
  maker.row(maker.node(f2, f, 3), live(10));
  const Line line = build(maker.snapshot).line("/a.py", 2);
  EXPECT_EQ(line.file, "/a.py");
  EXPECT_EQ(line.number, 2);
  EXPECT_EQ(line.function, "f");
  EXPECT_EQ(line.self, live(1));
  EXPECT_EQ(line.total, live(11, 2));
}

// f = lambda: [g() for g in ...]: two functions share line 5, and each gets its own blocks.
TEST(TraceLine, OfAFunctionLeavesOutOtherFunctionsOnTheSameLine) {
  SnapshotMaker maker;
  const auto f = maker.code("f", "/a.py", 1),
             comprehension = maker.code("f.<listcomp>", "/a.py", 5);
  const auto f5 = maker.node(0, f, 5);
  maker.row(f5, live(1));
  maker.row(maker.node(f5, comprehension, 5), live(10));
  const Trace trace = build(maker.snapshot);

  const Line outer = trace.line("f", 5);
  EXPECT_EQ(outer.file, "/a.py");
  EXPECT_EQ(outer.number, 5);
  EXPECT_EQ(outer.function, "f");
  EXPECT_EQ(outer.self, live(1));
  EXPECT_EQ(outer.total, live(11, 2));
  const Line inner = trace.line("f.<listcomp>", 5);
  EXPECT_EQ(inner.function, "f.<listcomp>");
  EXPECT_EQ(inner.self, live(10));
  EXPECT_EQ(inner.total, live(10));
}

TEST(TraceLine, OfAFunctionCountsRecursionOnceInTotal) {
  SnapshotMaker maker;
  const auto f = maker.code("f", "/a.py", 1);
  const auto outer = maker.node(0, f, 2);
  const auto inner = maker.node(maker.node(outer, f, 3), f, 2);
  maker.row(outer, live(1));
  maker.row(inner, live(10));
  const Line line = build(maker.snapshot).line("f", 2);
  EXPECT_EQ(line.self, live(11, 2));
  EXPECT_EQ(line.total, live(11, 2));
}

TEST(TraceLine, OfAnIdleLineIsZeroWithThePlaceAsFarAsKnown) {
  SnapshotMaker maker;
  maker.row(maker.node(0, maker.code("f", "/a.py", 1), 2), live(1));
  const Trace trace = build(maker.snapshot);

  const Line in_file = trace.line("/a.py", 9);
  EXPECT_EQ(in_file.file, "/a.py");
  EXPECT_EQ(in_file.number, 9);
  EXPECT_EQ(in_file.function, "");
  EXPECT_EQ(in_file.self, Counters{});

  const Line in_function = trace.line("f", 9);
  EXPECT_EQ(in_function.file, "/a.py");
  EXPECT_EQ(in_function.function, "f");
  EXPECT_EQ(in_function.total, Counters{});

  const Line unknown = trace.line("/no/such.py", 9);
  EXPECT_EQ(unknown.file, "");
  EXPECT_EQ(unknown.function, "");
  EXPECT_EQ(unknown.number, 9);
  EXPECT_EQ(unknown.self, Counters{});
}

TEST(TraceLine, OfAFileIsNotThatOfAnother) {
  SnapshotMaker maker;
  maker.row(maker.node(0, maker.code("f", "/a.py", 1), 2), live(1));
  maker.row(maker.node(0, maker.code("f", "/b.py", 1), 2), live(10));
  const Trace trace = build(maker.snapshot);
  EXPECT_EQ(trace.line("/a.py", 2).self, live(1));
  EXPECT_EQ(trace.line("/b.py", 2).self, live(10));
}

TEST(TraceLine, TakesAFileBeforeAFunctionOfTheSameName) {
  SnapshotMaker maker;
  maker.row(maker.node(0, maker.code("same", "/a.py", 1), 2), live(1));
  maker.row(maker.node(0, maker.code("f", "same", 1), 2), live(2));
  EXPECT_EQ(build(maker.snapshot).line("same", 2).self, live(2));
}

TEST(TraceLine, OfNativeIsTheRootsOwn) {
  SnapshotMaker maker;
  maker.row(0, live(3));
  const Line line = build(maker.snapshot).line("<native>", 0);
  EXPECT_EQ(line.function, "<native>");
  EXPECT_EQ(line.self, live(3));
}

}  // namespace
}  // namespace malloc_tracer::trace
