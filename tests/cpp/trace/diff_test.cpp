// SPDX-License-Identifier: MIT
#include "trace/diff.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "trace/error.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::trace {
namespace {

struct Event {
  std::string function;
  int line;
  std::int64_t bytes;
};

Counters live(std::int64_t bytes) { return {bytes, 1, bytes, 1, bytes, 1, 0, 0, 0, 0}; }

// One node below the root for each event.
Trace trace_of(const std::vector<Event>& events, const std::string& source,
               const std::string& file = "/src/a.py") {
  TableMaker maker;
  const Id thread = maker.thread("main", 1), allocator = maker.allocator("malloc");
  for (const auto& [function, line, bytes] : events) {
    const Id frame = maker.frame(maker.function(function, maker.file(file, Kind::kYours)), line);
    maker.add({maker.node(0, frame), thread, allocator, false, live(bytes)});
  }
  Trace facts;
  facts.name = "load";
  if (!source.empty()) facts.sources = {{file, 1, source, false}};
  return sum_up(std::move(facts), maker.take());
}

using Changes = std::map<int, std::int64_t>;

Changes changes(const Trace& later, const Trace& earlier) {
  Changes found;
  for (const Line& line : diff(later, earlier).lines) found[line.number] = line.self.live_bytes;
  return found;
}

const std::string kOld = "def f():\n    x = []\n    y = {}\n    return x\n";

TEST(Diff, OfATraceWithItselfIsZeroAndHoldsBoth) {
  const Trace trace = trace_of({{"f", 2, 10}, {"f", 3, 5}}, kOld);
  const Trace none = diff(trace, trace);
  EXPECT_TRUE(none.is_difference);
  EXPECT_EQ(none.sum, Counters{});
  EXPECT_EQ(none.lines.size(), 2U);
  ASSERT_EQ(none.rows.size(), 4U);
  EXPECT_EQ(none.rows[0].self, live(10));
  EXPECT_FALSE(none.rows[0].is_earlier);
  EXPECT_EQ(none.rows[1].self.live_bytes, -10);
  EXPECT_TRUE(none.rows[1].is_earlier);
  ASSERT_EQ(none.sources.size(), 2U);
  EXPECT_TRUE(none.sources[1].is_earlier);
}

TEST(Diff, SubtractsAllTenNumbers) {
  const Trace change = diff(trace_of({{"f", 2, 30}}, kOld), trace_of({{"f", 2, 10}}, kOld));
  EXPECT_EQ(change.sum, (Counters{20, 0, 20, 0, 20, 0, 0, 0, 0, 0}));
  EXPECT_EQ(change.functions[0].total, change.sum);
  EXPECT_EQ(change.threads[0].self, change.sum);
}

TEST(Diff, OfShiftedLinesIsNoChange) {
  const Trace earlier = trace_of({{"f", 2, 10}, {"f", 3, 5}}, kOld);
  const Trace later =
      trace_of({{"f", 12, 10}, {"f", 13, 9}}, "import os\n" + std::string(9, '\n') + kOld);
  EXPECT_EQ(changes(later, earlier), (Changes{{12, 0}, {13, 4}}));
}

TEST(Diff, OfAnIndentedLineIsNoChange) {
  const Trace later = trace_of({{"f", 3, 10}}, "def f():\n    if 1:\n        x = []\n");
  EXPECT_EQ(changes(later, trace_of({{"f", 2, 10}}, kOld)), (Changes{{3, 0}}));
}

TEST(Diff, MarksALineThatIsGoneWithItsOldNumber) {
  const Trace later = trace_of({{"f", 2, 7}}, "def f():\n    x = ()\n    y = {}\n    return x\n");
  EXPECT_EQ(changes(later, trace_of({{"f", 2, 10}}, kOld)), (Changes{{2, 7}, {-2, -10}}));
}

TEST(Diff, TellsEqualLinesApartByWhereTheyStand) {
  const std::string old_text = "def f():\n    x = []\n    g()\n    x = []\n";
  const Trace earlier = trace_of({{"f", 2, 10}, {"f", 4, 20}}, old_text);
  // A line of the same text was put before both.
  const Trace later = trace_of({{"f", 3, 10}, {"f", 5, 20}},
                               "def f():\n    h()\n    x = []\n    g()\n    x = []\n");
  EXPECT_EQ(changes(later, earlier), (Changes{{3, 0}, {5, 0}}));
}

// The line stands there still, one below, and allocates nothing any more.
TEST(Diff, FindsALineThatAllocatesNoMore) {
  const Trace earlier = trace_of({{"f", 2, 10}, {"f", 3, 5}}, kOld);
  const Trace later = trace_of({{"f", 3, 10}}, "\n" + kOld);
  EXPECT_EQ(changes(later, earlier), (Changes{{3, 0}, {4, -5}}));
}

TEST(Diff, DoesNotMatchLinesOfOtherFunctions) {
  const Trace later = trace_of({{"g", 2, 10}}, "def g():\n    x = []\n");
  const Trace change = diff(later, trace_of({{"f", 2, 10}}, kOld));
  ASSERT_EQ(change.functions.size(), 2U);
  EXPECT_EQ(change.functions[0].name, "g");
  EXPECT_EQ(change.functions[0].self.live_bytes, 10);
  EXPECT_EQ(change.functions[1].self.live_bytes, -10);
}

TEST(Diff, MatchesByNumberWithoutText) {
  const Trace earlier = trace_of({{"f", 2, 10}, {"f", 3, 5}}, kOld);
  EXPECT_EQ(changes(trace_of({{"f", 2, 11}, {"f", 4, 5}}, ""), earlier),
            (Changes{{2, 1}, {4, 5}, {-3, -5}}));
}

TEST(Diff, MatchesAFileThatHasMovedAlone) {
  const Trace earlier = trace_of({{"f", 2, 10}}, kOld, "/build/1/a.py");
  const Trace change = diff(trace_of({{"f", 2, 15}}, kOld, "/build/2/a.py"), earlier);
  ASSERT_EQ(change.files.size(), 1U);
  EXPECT_EQ(change.files[0].name, "/build/2/a.py");
  EXPECT_EQ(change.files[0].self.live_bytes, 5);
  EXPECT_EQ(change.sources[1].file, "/build/2/a.py");
}

TEST(Diff, AddsWhatWasLostInBoth) {
  Trace later = trace_of({}, ""), earlier = trace_of({}, "");
  later.lost = {{"full", 1}};
  earlier.lost = {{"full", 2}};
  EXPECT_EQ(diff(later, earlier).lost,
            (decltype(later.lost){{"full", 1}, {"full (earlier trace)", 2}}));
}

TEST(Diff, RefusesDifferences) {
  const Trace trace = trace_of({{"f", 2, 10}}, kOld);
  const Trace none = diff(trace, trace);
  EXPECT_THROW(diff(none, trace), Error);
  EXPECT_THROW(diff(trace, none), Error);
}

}  // namespace
}  // namespace malloc_tracer::trace
