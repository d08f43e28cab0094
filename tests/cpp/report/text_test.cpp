// SPDX-License-Identifier: MIT
#include "report/text.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "report/golden.hpp"

namespace malloc_tracer::report {
namespace {

using test::expect_golden;
using trace::Counters;
using trace::Line;
using trace::Trace;

using Lines = std::vector<std::string>;

Counters live(std::int64_t bytes) { return {bytes, 1, bytes, 1, bytes, 1, 0, 0, 0, 0}; }

// The scope of the example below, with the sizes that malloc_tracer 1.7 gave for it.
Trace example_trace() {
  Trace trace;
  trace.lines = {
      {"/src/u1.py", 16, "func", live(3'992'704), live(3'992'704)},
      {"/src/u1.py", 24, "func", live(800'096), live(800'096)},
      {"/src/u1.py", 18, "func", {}, live(88'192)},
      {"/src/u1.py", 8, "func2", live(80'096), live(80'096)},
      {"/src/u1.py", 7, "func2", live(8'096), live(8'096)},
      {"/src/u1.py", 14, "func", live(8'096), live(8'096)},
  };
  trace.sum = {4'889'088, 5, 4'889'088, 5, 4'889'088, 5, 0, 0, 0, 0};
  return trace;
}

const Lines kExampleSource = {
    "import numpy as np",
    "import malloc_tracer",
    "",
    "",
    "def func2():",
    "    global g1, g2",
    "    g1 = np.empty((1000, ), dtype=np.float64)",
    "    g2 = np.empty((10000, ), dtype=np.float64)   ",
    "",
    "",
    "def func(x, y, z):",
    "    dataset1 = np.empty((100, ), dtype=np.float64)",
    "    print('x', x)",
    "    dataset1 = np.empty((1000, ), dtype=np.float64)",
    "",
    "    l = [i for i in range(100000)]",
    "",
    "    func2()",
    "",
    "    if x == 0:",
    "        dataset4a = np.empty((100000, ), dtype=np.float64)",
    "        return 0",
    "    elif x == 1:",
    "        dataset4b = np.empty((100000, ), dtype=np.float64)",
    "        return 1",
    "",
    "    dataset3 = np.empty((3000, ), dtype=np.float64)",
    "    return 2",
};

Lines lines_of(const std::string& file) {
  if (file == "/src/u1.py") return kExampleSource;
  if (file == "/lib/a.py") return {"import b", "x = [0] * 600  \t\f", "\ty = []"};
  if (file == "/lib/b.py") return {"one()", "two()"};
  return {};
}

std::string source_of(const std::string& file, int number) {
  const Lines lines = lines_of(file);
  const auto index = static_cast<std::size_t>(number) - 1;
  return index < lines.size() ? lines[index] : "";
}

Section example_section() {
  return {"/src/u1.py", 11, {kExampleSource.begin() + 10, kExampleSource.end()}, "", 0};
}

TextOptions example_options(Related related) {
  TextOptions options;
  options.target = {example_section()};
  options.related = related;
  options.source = source_of;
  return options;
}

void add_line(Trace& trace, const Line& line) {
  trace.lines.push_back(line);
  trace.sum += line.self;
}

// Lines of more files, a file without source, a line without code, ties, and no order at all.
Trace trace_of_many_files() {
  Trace trace = example_trace();
  add_line(trace, {"/lib/b.py", 2, "two", live(5'057), live(5'057)});
  add_line(trace, {"<native>", 0, "<native>", live(1 << 20), live(1 << 20)});
  add_line(trace, {"nosuch.py", 3, "gone", live(7'057), live(7'057)});
  add_line(trace, {"/lib/a.py", 3, "<module>", live(5'057), live(5'057)});
  add_line(trace, {"/lib/b.py", 1, "one", live(1'023), live(1'023)});
  add_line(trace, {"/lib/a.py", 2, "<module>", live(5'057), live(5'057)});
  add_line(trace, {"<string>", 70'000, "<module>", live(9'057), live(9'057)});
  add_line(trace, {"/lib/a.py", 1, "<module>", {0, 0, 7, 1, 7, 1, 7, 1, 1, 0}, {}});
  return trace;
}

// The three following golden files are the bytes that malloc_tracer 1.7.0 itself printed.
TEST(Text, WithoutRelatedTracesIsThatOf17) {
  expect_golden("text_none.txt", text_report(example_trace(), example_options(Related::kNone)));
}

TEST(Text, WithRelatedTracesByFileIsThatOf17) {
  expect_golden("text_for_each_file.txt",
                text_report(example_trace(), example_options(Related::kForEachFile)));
}

TEST(Text, WithRelatedTracesInDescendingOrderIsThatOf17) {
  expect_golden("text_in_descending_order.txt",
                text_report(example_trace(), example_options(Related::kInDescendingOrder)));
}

TEST(Text, OrdersFilesByNameAndLinesByNumberWithNativeLast) {
  expect_golden("text_for_each_of_many_files.txt",
                text_report(trace_of_many_files(), example_options(Related::kForEachFile)));
}

TEST(Text, OrdersLinesBySizeThenFileThenNumberWithNativeLast) {
  expect_golden("text_many_files_in_descending_order.txt",
                text_report(trace_of_many_files(), example_options(Related::kInDescendingOrder)));
}

TEST(Text, WithoutEventsHasNoRelatedTables) {
  for (const Related related :
       {Related::kNone, Related::kForEachFile, Related::kInDescendingOrder}) {
    expect_golden("text_no_events.txt", text_report({}, example_options(related)));
  }
}

TEST(Text, SelectsRelatedFilesByPatternsAndStillCountsAllInTheTotal) {
  TextOptions options = example_options(Related::kForEachFile);
  options.include = {"/lib/*", "<native>"};
  options.exclude = {"*/a.p?"};
  const std::string text = text_report(trace_of_many_files(), options);
  EXPECT_EQ(text.find("/lib/a.py"), std::string::npos);
  EXPECT_NE(text.find("\nFile \"/lib/b.py\"\n"), std::string::npos);
  EXPECT_NE(text.find("\nFile \"<native>\"\n"), std::string::npos);
  EXPECT_EQ(text.find("<string>"), std::string::npos);
  EXPECT_EQ(text.find("g1 = "), std::string::npos) << "patterns select in the target's file, too";
  EXPECT_NE(text.find("\nTotal allocated size: 5.7 MiB (raw 5969972 B)\n"), std::string::npos);

  options.include = {"*.nix"};
  EXPECT_EQ(text_report(trace_of_many_files(), options).find("<< Related"), std::string::npos);
}

// As Python's fnmatch, which users of 1.7 know.
TEST(Text, TakesABackslashInAPatternForItself) {
  Trace trace;
  add_line(trace, {"C:\\a.py", 1, "f", live(1), live(1)});
  TextOptions options = example_options(Related::kForEachFile);
  options.include = {"C:\\a*"};
  EXPECT_NE(text_report(trace, options).find("File \"C:\\a.py\""), std::string::npos);
}

TEST(Text, ShowsEachSectionAsATableOfItsOwn) {
  TextOptions options = example_options(Related::kForEachFile);
  options.target = {{"/src/u1.py", 5, {"def func2():", "    ..."}, "", 0},
                    {"/lib/b.py", 1, {"one()", "two()"}, "", 0},
                    {"/src/u1.py", 7, {"    g1", "    g2"}, "", 0}};
  options.include = {"/src/*", "/lib/b.py"};
  expect_golden("text_sections.txt", text_report(trace_of_many_files(), options));
}

TEST(Text, OfASectionWithoutSourceShowsTheLinesThatHaveNumbers) {
  TextOptions options = example_options(Related::kInDescendingOrder);
  options.target = {{"/src/u1.py", 11, {}, "the file has changed", 28}};
  expect_golden("text_section_without_source.txt", text_report(example_trace(), options));

  options.target[0].note = "";
  EXPECT_NE(text_report(example_trace(), options).find("u1.py\"\n(no source)\nLine #"),
            std::string::npos);
}

TEST(Text, WithoutTargetSaysWhy) {
  TextOptions options = example_options(Related::kForEachFile);
  options.target.clear();
  options.note = "builtins.len has no Python code";
  Trace trace;
  add_line(trace, {"/lib/b.py", 2, "two", live(64), live(64)});
  expect_golden("text_without_target.txt", text_report(trace, options));

  options.note = "";
  options.related = Related::kNone;
  EXPECT_EQ(text_report(trace, options),
            "<< Target traces >>\n(no source)\n\nTotal allocated size: 64 B (raw 64 B)\n");
}

TEST(Text, NamesWhatWasLost) {
  Trace trace;
  trace.lost = {{"page map full", 3}, {"unknown\nframe", 12'345}};
  const std::string text = text_report(trace, {});
  EXPECT_TRUE(
      text.ends_with("\nTotal allocated size: 0 B (raw 0 B)\n"
                     "Lost: 3 page map full\n"
                     "Lost: 12345 unknown\\x0aframe\n"))
      << text;
}

TEST(Text, MakesHostileTextHarmless) {
  Trace trace;
  add_line(trace, {"/src/\x1b]0;evil\x07\n.py", 1, "f", live(10), live(10)});
  add_line(trace, {"/src/\u202eyp.exe", 1, "f", live(20), live(20)});
  TextOptions options;
  options.target = {{"/src/\x1b]0;evil\x07\n.py",
                     1,
                     {"\tx = '\x1b[2J'\t# \xff", "if level != '\u202e\u2066':\r"},
                     "",
                     0},
                    {"/src/gone.py", 1, {}, "\x1b[31m", 9}};
  options.related = Related::kForEachFile;
  options.source = [](const std::string&, int) { return "\x1b]8;;http://evil\x07"; };
  expect_golden("text_hostile.txt", text_report(trace, options));
}

// --- Chosen columns ---

Trace trace_of_all_numbers() {
  Trace trace;
  add_line(trace,
           {"/src/io.py",
            44,
            "rows",
            {3'984'588, 99'000, 3'984'588, 99'000, 8'493'465, 100'120, 4'508'877, 1'120, 20, 3},
            {4'000'000, 99'100, 0, 0, 0, 0, 0, 0, 0, 0}});
  add_line(trace, {"/src/io.py",
                   45,
                   "rows",
                   {0, 0, 6'396'313, 4, 128'030'000, 20, 128'030'000, 20, 20, 0},
                   {}});
  add_line(trace, {"/src/io.py", 46, "rows", {}, {1'024, 1, 0, 0, 0, 0, 0, 0, 0, 0}});
  add_line(trace, {"/lib/b.py", 1, "one", {0, 0, 0, 0, 0, 5, 0, 5, 1'000'000'000, 0}, {}});
  add_line(trace, {"/lib/b.py", 2, "two", live(1'024), live(1'024)});
  return trace;
}

TextOptions options_with(const std::vector<Column>& columns) {
  TextOptions options;
  options.columns = columns;
  options.target = {{"/src/io.py",
                     43,
                     {"def rows(n):", "    rows = [f(i) for i in range(n)]",
                      "    x = x * 2.0 + 1.0", "    return two(x)"},
                     "",
                     0}};
  options.source = source_of;
  return options;
}

TEST(TextColumns, OfTheCommandLine) {
  expect_golden(
      "text_columns.txt",
      text_report(trace_of_all_numbers(), options_with({Column::kLive, Column::kPeak,
                                                        Column::kAllocated, Column::kCount})));
}

TEST(TextColumns, AllOfThemByFile) {
  TextOptions options =
      options_with({Column::kTotal, Column::kFreed, Column::kTemporary, Column::kCount,
                    Column::kAllocated, Column::kPeak, Column::kLive, Column::kSize});
  options.related = Related::kForEachFile;
  expect_golden("text_all_columns.txt", text_report(trace_of_all_numbers(), options));
}

TEST(TextColumns, InDescendingOrderOfTheFirst) {
  TextOptions options = options_with({Column::kCount, Column::kLive});
  options.related = Related::kInDescendingOrder;
  expect_golden("text_columns_in_descending_order.txt",
                text_report(trace_of_all_numbers(), options));
}

TEST(TextColumns, SizeAloneIsTheLayoutOf17) {
  EXPECT_EQ(text_report(trace_of_all_numbers(), options_with({Column::kSize})),
            text_report(trace_of_all_numbers(), options_with({})));
}

TEST(FormatSize, Is17s) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(1'023), "1023 B");
  EXPECT_EQ(format_size(1'024), "1.0 KiB");
  EXPECT_EQ(format_size(1'382), "1.3 KiB");
  EXPECT_EQ(format_size((1 << 20) - 1), "1024.0 KiB");
  EXPECT_EQ(format_size(1 << 20), "1.0 MiB");
  EXPECT_EQ(format_size(4'800'912), "4.6 MiB");
  EXPECT_EQ(format_size(std::uint64_t{3} << 30), "3.0 GiB");
  EXPECT_EQ(format_size(std::uint64_t{5} << 40), "5.0 TiB");
  EXPECT_EQ(format_size(std::uint64_t{7} << 50), "7168.0 TiB");
  EXPECT_EQ(format_size(std::uint64_t{3} << 60), "3145728.0 TiB");
}

}  // namespace
}  // namespace malloc_tracer::report
