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
  const Trace earlier = trace_of({{"f", 2, 10}, {"f", 3, 5}}, kOld);
  const Trace later = trace_of({{"f", 2, 5}}, "def f():\n    y = {}\n    return x\n");
  EXPECT_EQ(changes(later, earlier), (Changes{{2, 0}, {-2, -10}}));
  EXPECT_EQ(changes(earlier, later), (Changes{{2, 10}, {3, 0}}));
}

TEST(Diff, OfAnEditedLineIsAChangeOfThatLine) {
  const Trace earlier = trace_of({{"f", 2, 10}, {"f", 3, 5}}, kOld);
  const Trace first =
      trace_of({{"f", 2, 7}, {"f", 3, 5}}, "def f():\n    x = ()\n    y = {}\n    return x\n");
  EXPECT_EQ(changes(first, earlier), (Changes{{2, -3}, {3, 0}}));
  const Trace last = trace_of(
      {{"f", 4, 10}, {"f", 6, 9}},
      "import os\n\ndef f():\n    x = []\n    # a comment\n    y = {1: 2}\n    return x\n");
  EXPECT_EQ(changes(last, earlier), (Changes{{4, 0}, {6, 4}}));
  const Trace only = trace_of({{"f", 3, 4}}, "def f():\n    # new\n    return ()\n");
  EXPECT_EQ(changes(only, trace_of({{"f", 2, 10}}, kOld)), (Changes{{3, -6}}));
}

const std::string kFive = "def f():\n    a = []\n    b = {}\n    c = ()\n    d = 4\n    e = 5\n";

TEST(Diff, PairsEachEditedLineBetweenItsOwnNeighbours) {
  const Trace earlier =
      trace_of({{"f", 2, 1}, {"f", 3, 20}, {"f", 4, 3}, {"f", 5, 40}, {"f", 6, 5}}, kFive);
  const Trace later =
      trace_of({{"f", 2, 1}, {"f", 3, 25}, {"f", 4, 3}, {"f", 5, 41}, {"f", 6, 5}},
               "def f():\n    a = []\n    b = {0}\n    c = ()\n    d = 44\n    e = 5\n");
  EXPECT_EQ(changes(later, earlier), (Changes{{2, 0}, {3, 5}, {4, 0}, {5, 1}, {6, 0}}));
}

// Which of the two the one line has become would be a guess.
TEST(Diff, DoesNotPairALineThatWasSplit) {
  const Trace earlier = trace_of({{"f", 2, 10}, {"f", 3, 5}}, kOld);
  const Trace later = trace_of({{"f", 2, 4}, {"f", 3, 6}, {"f", 4, 5}},
                               "def f():\n    z = []\n    x = z + z\n    y = {}\n    return x\n");
  EXPECT_EQ(changes(later, earlier), (Changes{{2, 4}, {3, 6}, {4, 0}, {-2, -10}}));
  EXPECT_EQ(changes(earlier, later), (Changes{{2, 10}, {3, 0}, {-2, -4}, {-3, -6}}));
}

// In place of the line before the one that stayed there is nothing; the new one comes after it.
TEST(Diff, DoesNotPairLinesOnDifferentSidesOfOneThatStayed) {
  const Trace earlier = trace_of({{"f", 2, 10}, {"f", 3, 5}}, kOld);
  const Trace later =
      trace_of({{"f", 2, 5}, {"f", 3, 7}}, "def f():\n    y = {}\n    z = ()\n    return x\n");
  EXPECT_EQ(changes(later, earlier), (Changes{{2, 0}, {3, 7}, {-2, -10}}));
}

TEST(Diff, OfLinesInAnotherOrderIsNoChange) {
  const Trace earlier = trace_of({{"f", 2, 1}, {"f", 3, 20}, {"f", 4, 3}}, kFive);
  const Trace later = trace_of({{"f", 2, 3}, {"f", 3, 1}, {"f", 4, 20}},
                               "def f():\n    c = ()\n    a = []\n    b = {}\n");
  EXPECT_EQ(changes(later, earlier), (Changes{{2, 0}, {3, 0}, {4, 0}}));
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

// What is below the first `x = []` says that it is this one which has gone.
TEST(Diff, FindsWhichOfEqualLinesHasGone) {
  const Trace earlier = trace_of({{"f", 2, 10}, {"f", 3, 5}, {"f", 4, 1000}},
                                 "def f():\n    x = []\n    y = {}\n    x = []\n");
  const Trace later = trace_of({{"f", 2, 5}, {"f", 3, 1000}}, "def f():\n    y = {}\n    x = []\n");
  EXPECT_EQ(changes(later, earlier), (Changes{{2, 0}, {3, 0}, {-2, -10}}));
  EXPECT_EQ(changes(earlier, later), (Changes{{2, 10}, {3, 0}, {4, 0}}));
}

TEST(Diff, PairsAnEditedLineAlsoWhereAnotherHasMovedPastIt) {
  const Trace earlier = trace_of({{"f", 2, 1}, {"f", 3, 20}, {"f", 4, 3}, {"f", 5, 40}}, kFive);
  const Trace later = trace_of({{"f", 2, 20}, {"f", 3, 7}, {"f", 4, 40}, {"f", 5, 1}},
                               "def f():\n    b = {}\n    c = (1,)\n    d = 4\n    a = []\n");
  EXPECT_EQ(changes(later, earlier), (Changes{{2, 0}, {3, 4}, {4, 0}, {5, 0}}));
}

TEST(Diff, TellsEqualLinesApartByLinesWithoutNumbers) {
  const std::string text =
      "def f(a):\n    if a:\n        x = []\n    else:\n        x = []\n    return x\n";
  const Trace earlier = trace_of({{"f", 3, 10}}, text);
  const Trace later = trace_of({{"f", 6, 10}}, "\n" + text);
  EXPECT_EQ(changes(later, earlier), (Changes{{4, -10}, {6, 10}}));
}

TEST(Diff, AlignsEachFunctionWhereverItStands) {
  const std::string g = "def g():\n    x = []\n    y = {}\n";
  const Trace earlier =
      trace_of({{"f", 2, 1}, {"f", 3, 20}, {"f", 4, 3}, {"g", 9, 5}}, kFive + "\n" + g);
  const Trace later =
      trace_of({{"g", 2, 5}, {"f", 6, 1}, {"f", 7, 24}, {"f", 8, 3}},
               g + "\n" + "def f():\n    a = []\n    b = {0}\n    c = ()\n    d = 4\n");
  EXPECT_EQ(changes(later, earlier), (Changes{{2, 0}, {6, 0}, {7, 4}, {8, 0}}));
}

TEST(Diff, FindsTheLinesOfAFunctionThatAllocatesNoMore) {
  const Trace earlier = trace_of({{"f", 2, 10}, {"f", 3, 5}}, kOld);
  const Trace later = trace_of({}, "import os\n" + kOld);
  EXPECT_EQ(changes(later, earlier), (Changes{{3, -10}, {4, -5}}));
  EXPECT_EQ(changes(trace_of({}, "import os\n"), earlier), (Changes{{-2, -10}, {-3, -5}}));
}

// A generated table: long, and each line often.
TEST(Diff, OfAVeryLongFunctionOfEqualLines) {
  constexpr int kLines = 10'000;
  std::string text = "def f():\n";
  std::vector<Event> before, now;
  for (int line = 2; line <= kLines; ++line) {
    text += line % 2 == 0 ? "    x.append([])\n" : "    x.append({})\n";
    before.push_back({"f", line, line});
    now.push_back({"f", line + 1, line});
  }
  const Trace later = trace_of(now, "def f():\n    x = []\n" + text.substr(text.find('\n') + 1));
  for (const auto& [line, change] : changes(later, trace_of(before, text)))
    ASSERT_EQ(change, 0) << line;
}

TEST(Diff, OfTracesThatClaimLinesOfEarlierOnes) {
  Trace odd = trace_of({{"f", -3, 10}, {"f", -2, 20}, {"f", 0, 3}, {"f", 2, 4}}, kOld);
  odd.sources.push_back({"/src/a.py", 1, kOld, true});
  EXPECT_EQ(changes(odd, odd), (Changes{{-3, 0}, {-2, 0}, {0, 0}, {2, 0}}));
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

TEST(Diff, SubtractsTheHistograms) {
  Trace later = trace_of({{"f", 2, 9}, {"f", 3, 1}}, ""), earlier = trace_of({{"f", 2, 12}}, "");
  later.block_sizes = {0, 1, 0, 0, 1};
  earlier.block_sizes = {0, 0, 0, 0, 1};
  EXPECT_EQ(diff(later, earlier).block_sizes, (std::vector<std::int64_t>{0, 1}));
  EXPECT_EQ(diff(earlier, later).block_sizes, (std::vector<std::int64_t>{0, -1}));
  earlier.block_sizes.clear();  // from an older file
  EXPECT_TRUE(diff(later, earlier).block_sizes.empty());
  EXPECT_TRUE(diff(earlier, later).block_sizes.empty());
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
