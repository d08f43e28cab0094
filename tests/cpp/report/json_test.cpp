// SPDX-License-Identifier: MIT
#include "report/json.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "report/json_cursor.hpp"
#include "report/random_trace.hpp"
#include "report/sample_traces.hpp"
#include "trace/error.hpp"

namespace malloc_tracer::report {
namespace {

using trace::Trace;

// A file with one of everything, as trace-format.md describes it.
const std::string kSmall = R"({
  "format": "malloc_tracer trace", "version": 1, "writer": "malloc_tracer 2.0.0",
  "name": "load", "difference": false,
  "python_version": "3.13.0", "command": ["python", "app.py"], "time_ms": 1763979166000, "duration_ns": 12000000,
  "sum": {"live_bytes": 8057, "live_count": 1, "peak_bytes": 8057, "peak_count": 1, "allocated_bytes": 8357,
          "allocated_count": 2, "freed_bytes": 300, "freed_count": 1, "temporary_count": 1, "reallocated_count": 0},
  "strings": ["MainThread", "python object", "/src/app.py", "load", "read", "\u00e9\ud83d\ude00\né"],
  "threads": {"name": [0], "id": [4711]}, "allocators": {"name": [1]},
  "files": {"name": [2], "kind": ["yours"]}, "functions": {"name": [3, 4], "file": [0, 0]},
  "frames": {"function": [0, 1], "line": [8, 3]}, "nodes": {"parent": [0, 0, 1], "frame": [-1, 0, 1]},
  "rows": {"node": [0, 1, 2], "thread": [0, 0, 0], "allocator": [0, 0, 0],
           "live_bytes": [0, 0, 8057], "live_count": [0, 0, 1], "peak_bytes": [0, 0, 8057], "peak_count": [0, 0, 1],
           "allocated_bytes": [0, 300, 8057], "allocated_count": [0, 1, 1], "freed_bytes": [0, 300, 0],
           "freed_count": [0, 1, 0], "temporary_count": [0, 1, 0], "reallocated_count": [0, 0, 0]},
  "timeline": {"ns": [0, 5000], "live_bytes": [0, 8057]},
  "block_sizes": [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0], "lost": {"reason": [], "count": []},
  "sources": {"file": [2], "first_line": [1], "text": ["import sys\n\ndef read(n):"]},
  "listing": {"file": [2], "first_line": [7], "last_line": [9], "note": [""], "empty_note": "", "related": "none"}
})";

std::string with(const std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, text.npos) << from;
  return std::string(text).replace(at, from.size(), to);
}

std::string error_of(std::string_view text) {
  try {
    read_json(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Json, ReadsTheFileOfTheDocument) {
  const Trace trace = read_json(kSmall);
  EXPECT_EQ(trace.name, "load");
  EXPECT_EQ(trace.command, (std::vector<std::string>{"python", "app.py"}));
  EXPECT_EQ(trace.time_ms, 1'763'979'166'000);
  ASSERT_EQ(trace.lines.size(), 2U);
  EXPECT_EQ(trace.lines[0].number, 8);
  EXPECT_EQ(trace.lines[0].function, "load");
  EXPECT_EQ(trace.lines[0].self.freed_bytes, 300);
  EXPECT_EQ(trace.lines[0].total.live_bytes, 8057);
  EXPECT_EQ(trace.lines[1].number, 3);
  EXPECT_EQ(trace.lines[1].self.live_bytes, 8057);
  EXPECT_EQ(trace.threads[0].id, 4711U);
  EXPECT_EQ(trace.sources[0].text, "import sys\n\ndef read(n):");
  EXPECT_EQ(trace.listing.stretches[0].last_line, 9);
  EXPECT_EQ(trace.block_sizes,
            (std::vector<std::int64_t>{0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}));
}

TEST(Json, ReadsFilesWithoutWhatLaterVersionsAdded) {
  const Trace trace = read_json(
      with(kSmall, R"("block_sizes": [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0],)", ""));
  EXPECT_TRUE(trace.block_sizes.empty());
  EXPECT_EQ(trace.sum.allocated_count, 2);
}

TEST(Json, GivesBackWhatItWrote) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    const Trace trace = test::random_trace(random);
    const std::string text = json_report(trace);
    const Trace again = read_json(text);
    ASSERT_TRUE(again == trace) << text;
    ASSERT_EQ(json_report(again), text) << "sources and listing too";
  }
}

TEST(Json, ForThePageWritesWhatCountsUpInSteps) {
  std::string expected = json_report(test::sample_trace());
  for (const auto& [from, to] : {std::pair{"malloc_tracer trace", "malloc_tracer page"},
                                 {R"("parent":[0,0,1,2,1,4])", R"("parent":[0,0,1,1,-1,3])"},
                                 {R"("node":[0,1,2,2,3,4,5])", R"("node":[0,1,1,0,1,1,1])"}}) {
    expected = with(expected, from, to);
  }
  EXPECT_EQ(json_for_page(test::sample_trace()), expected);
}

TEST(Json, OfNothingIsReadable) {
  const Trace nothing = trace::sum_up({}, trace::TableMaker().take());
  EXPECT_TRUE(read_json(json_report(nothing)) == nothing);
}

TEST(Json, SkipsKeysThatItDoesNotKnow) {
  const std::string text =
      with(kSmall, "\"name\"", R"("new": [{"a": [], "b": {}}, null, -1.5e3, "x", true], "name")");
  EXPECT_TRUE(read_json(text) == read_json(kSmall));
}

TEST(Json, SaysWhereAFileIsWrong) {
  const struct {
    const char *from, *to, *error;
  } cases[] = {
      {"malloc_tracer trace", "x",
       "is no trace of malloc_tracer: pass a file that trace.save(\"x.json\") has written"},
      {"\"version\": 1", "\"version\": 2",
       "is of version 2 of the format, and this is malloc_tracer 2.0.0, which reads up to 1: "
       "install a newer malloc_tracer"},
      {"\"version\": 1", "\"version\": 0", "at byte 49: there is no version 0"},
      {"\"version\": 1", "\"version\": 1.0", "at byte 48: expected a whole number"},
      {"\"version\": 1", "\"version\": 01", "at byte 48: a number begins with 0"},
      {"\"version\": 1", "\"version\": 99999999999999999999", "at byte 48: a number is too large"},
      {"\"version\": 1", "\"version\": x", "at byte 48: expected a whole number, found 'x'"},
      {"\"live_bytes\": 8057,", "\"live_bytes\": 8056,",
       "'sum' is not the sum of the rows: the file is damaged; save the trace again"},
      {"\"id\": [4711]", "\"id\": [4711, 1]",
       "the columns of 'threads' differ in length: the file is damaged; save the trace again"},
      {"\"parent\": [0, 0, 1]", "\"parent\": [0, 0, 2]",
       "'parent', row 2: a node stands before its parent: the file is damaged; save the trace "
       "again"},
      {"\"frame\": [-1, 0, 1]", "\"frame\": [-1, 0, 2]",
       "'nodes', row 2: 'frame' is out of range: the file is damaged; save the trace again"},
      {"\"frame\": [-1, 0, 1]", "\"frame\": [0, 0, 1]",
       "the first node must be the root: parent 0, frame -1: the file is damaged; save the trace "
       "again"},
      {"\"function\": [0, 1]", "\"function\": [0, -1]",
       "'frames', row 1: 'function' is out of range: the file is damaged; save the trace again"},
      {"\"line\": [8, 3]", "\"line\": [8, 3000000000]",
       "'frames', row 1: 'line' is out of range: the file is damaged; save the trace again"},
      {"\"node\": [0, 1, 2]", "\"node\": [0, 1, 1]",
       "'nodes', row 2: a node has no row: the file is damaged; save the trace again"},
      {"\"live_bytes\": [0, 0, 8057]", "\"live_bytes\": [9223372036854775807, 0, 8057]",
       "the numbers of 'live_bytes' are too large: the file is damaged; save the trace again"},
      {"[0, 0, 0, 0, 0, 0, 0, 0, 0, 1,", "[0, 0, 0, 0, 0, 0, 0, 0, 0, 2,",
       "'block_sizes' does not add up to the blocks allocated: the file is damaged; save the trace "
       "again"},
      {"0, 0, 0, 1, 0]", "0, 0, 0, 1, 9223372036854775807]",
       "the numbers of 'block_sizes' are too large: the file is damaged; save the trace again"},
      {"\"yours\"", "\"ours\"", "at byte 678: 'kind' of a file is yours, library or native"},
      {"\"none\"", "\"some\"",
       "at byte 1587: 'related' is none, for_each_file or in_descending_order"},
      {"\"writer\": \"malloc_tracer 2.0.0\",", "", "at byte 1558: there is no 'writer'"},
      {"\"writer\"", "\"version\"", "at byte 61: 'version' stands there twice"},
      {"\"load\"", "\"lo\nad\"", "at byte 97: a string holds byte 10, which JSON does not allow"},
      {"\"load\"", "\"lo\xff\"", "at byte 97: a string holds byte 255, which JSON does not allow"},
      {"\"load\"", "\"\\ud800\"",
       "at byte 101: a string holds half a character (a lone surrogate)"},
      {"\"load\"", "\"\\x\"", "at byte 97: a string holds an unknown escape"},
      {"\"load\"", "\"\\u12\"", "at byte 97: a string holds \\u without its four digits"},
      {"false", "falsy", "at byte 120: expected 'false'"},
  };
  for (const auto& [from, to, error] : cases)
    EXPECT_EQ(error_of(with(kSmall, from, to)), error) << to;
  EXPECT_EQ(error_of(kSmall + "x"), "at byte 1590: the trace has ended, but the file goes on");
}

TEST(Json, SaysThatAFileWasCutOffWhereverThatIs) {
  for (std::size_t size = 0; size < kSmall.size(); ++size) {
    ASSERT_EQ(error_of(kSmall.substr(0, size)), "at byte " + std::to_string(size) +
                                                    ": the file ends in the middle: it was cut "
                                                    "off; take it again from where it was written");
  }
}

TEST(Json, RefusesDeepNesting) {
  const std::string deep(1'000'000, '[');
  EXPECT_EQ(error_of("{\"x\": " + deep), "at byte 70: values are nested more than 64 deep");
  std::string objects = "{";
  for (int i = 0; i < 100; ++i) objects += "\"x\":{";
  EXPECT_NE(error_of(objects).find("nested more than 64 deep"), std::string::npos);
}

// Any byte changed, left out or put in: an Error or a trace, never a crash. Run with sanitizers.
TEST(Json, SurvivesDamage) {
  std::mt19937 random(2);
  const std::string pieces = "{}[]\",:-0189\\ux \xff";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = kSmall;
    for (std::size_t i = 0; i < 1 + random() % 3; ++i) {
      const std::size_t at = random() % text.size();
      const char piece = pieces[random() % pieces.size()];
      switch (random() % 4) {
        case 0:
          text[at] = piece;
          break;
        case 1:
          text.erase(at, 1 + random() % 20);
          break;
        case 2:
          text.insert(at, 1, piece);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 50));
      }
    }
    try {
      const Trace trace = read_json(text);
      ASSERT_TRUE(read_json(json_report(trace)) == trace) << text;
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace malloc_tracer::report
