// SPDX-License-Identifier: MIT
#include "trace/merge.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "trace/builder.hpp"
#include "trace/error.hpp"
#include "trace/snapshot_maker.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::trace {
namespace {

using test::live;
using test::SnapshotMaker;

// f calls g from line 2, and g allocates in line 9.
Trace trace_of(std::uint64_t bytes, const std::string& name = "load", std::uint64_t thread = 1) {
  SnapshotMaker maker;
  maker.snapshot.name = name;
  maker.snapshot.duration_ns = 100;
  maker.snapshot.threads = {{thread, "main"}};
  maker.snapshot.timeline = {{5, bytes}};
  maker.snapshot.lost = {{"page map full", 1}};
  const auto f = maker.code("f", "/a.py", 1), g = maker.code("g", "/b.py", 9);
  maker.row(maker.node(maker.node(0, f, 2), g, 9), live(bytes));
  Trace trace = build(maker.snapshot, {"3.13.0", {}, {}, {"python", "a.py"}, 1000});
  trace.sources = {{"/a.py", 1, "def f():\n    g()", false}};
  trace.listing.stretches = {{"/a.py", 1, 2, ""}};
  return trace;
}

TEST(Merge, AddsUp) {
  const Trace a = trace_of(10), b = trace_of(5);
  const std::vector<const Trace*> both = {&a, &b};
  const Trace sum = merge(both);
  EXPECT_EQ(sum.name, "load");
  EXPECT_EQ(sum.sum, live(15, 2));
  EXPECT_EQ(sum.nodes.size(), 3U);
  EXPECT_EQ(sum.rows.size(), 1U);
  EXPECT_EQ(sum.line("/a.py", 2).total, live(15, 2));
  EXPECT_EQ(sum.line("/b.py", 9).self, live(15, 2));
  EXPECT_EQ(sum.threads.size(), 1U);
  EXPECT_EQ(sum.duration_ns, 200);
  EXPECT_EQ(sum.command, (std::vector<std::string>{"python", "a.py"}));
  EXPECT_EQ(sum.lost, (decltype(sum.lost){{"page map full", 2}}));
  EXPECT_TRUE(sum.timeline.empty()) << "two lines of time are none";
  EXPECT_EQ(sum.sources.size(), 1U);
  EXPECT_EQ(sum.listing.stretches.size(), 1U);
}

TEST(Merge, AddsTheHistograms) {
  Trace a = trace_of(10), b = trace_of(5);
  a.block_sizes = {0, 0, 0, 0, 1};
  b.block_sizes = {0, 0, 0, 1};
  const Trace nothing = sum_up({}, TableMaker().take());
  const std::vector<const Trace*> all = {&nothing, &a, &nothing, &b};
  EXPECT_EQ(merge(all).block_sizes, (std::vector<std::int64_t>{0, 0, 0, 1, 1}));
  a.block_sizes.clear();  // from an older file
  EXPECT_TRUE(merge(all).block_sizes.empty());
}

TEST(Merge, KeepsPatternsThatAllAgreeOn) {
  Trace a = trace_of(10), b = trace_of(5);
  a.listing.include = b.listing.include = {"*/src/*"};
  a.listing.exclude = {"*/tests/*"};
  const std::vector<const Trace*> both = {&a, &b};
  EXPECT_EQ(merge(both).listing.include, a.listing.include);
  EXPECT_TRUE(merge(both).listing.exclude.empty());
}

TEST(Merge, OfOneIsThatOne) {
  const Trace a = trace_of(10);
  const std::vector<const Trace*> one = {&a};
  EXPECT_TRUE(merge(one) == a);
}

TEST(Merge, OfOneAndEmptyOnesKeepsTheTimeline) {
  const Trace a = trace_of(10),
              empty = build(snapshot::Snapshot{"load", 0, {}, {{}}, {}, {}, {}, {}, {}});
  const std::vector<const Trace*> traces = {&empty, &a, &empty};
  const Trace sum = merge(traces);
  ASSERT_EQ(sum.timeline.size(), 1U);
  EXPECT_EQ(sum.timeline[0].live_bytes, 10U);
}

TEST(Merge, KeepsThreadsOfDifferentNumbersApartAndNamesWhatDiffers) {
  const Trace a = trace_of(10), b = trace_of(5, "store", 2);
  const std::vector<const Trace*> both = {&a, &b};
  const Trace sum = merge(both);
  EXPECT_EQ(sum.name, "load and 1 more");
  ASSERT_EQ(sum.threads.size(), 2U);
  EXPECT_EQ(sum.threads[0].self, live(10));
  EXPECT_EQ(sum.threads[1].id, 2U);
  EXPECT_EQ(sum.rows.size(), 2U);
}

TEST(Merge, RefusesNothingAndDifferences) {
  EXPECT_THROW(merge({}), Error);
  Trace difference = trace_of(1);
  difference.is_difference = true;
  const std::vector<const Trace*> one = {&difference};
  EXPECT_THROW(merge(one), Error);
}

}  // namespace
}  // namespace malloc_tracer::trace
