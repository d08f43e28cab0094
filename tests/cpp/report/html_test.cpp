// SPDX-License-Identifier: MIT
#include "report/html.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "report/html_page.hpp"
#include "report/html_table.hpp"
#include "report/json.hpp"
#include "report/unzipped.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::report {
namespace {

using trace::Trace;

// A trace whose every name would run a script or end an element.
Trace hostile() {
  const std::string name =
      "</script><script>alert(1)</script><!--&amp;\"'\xe2\x80\xa8\xe2\x80\xa9\xe2\x82\xac";
  trace::TableMaker maker;
  const trace::Id frame =
      maker.frame(maker.function(name, maker.file(name, trace::Kind::kYours)), 1);
  maker.add({maker.node(0, frame),
             maker.thread(name, 1),
             maker.allocator(name),
             false,
             {1000, 1, 1000, 1, 1000, 1, 0, 0, 0, 0}});
  Trace facts;
  facts.name = name;
  facts.lost = {{name, 1}};
  facts.sources = {{name, 1, name, false}};
  facts.listing.stretches = {{name, 1, 1, ""}};
  return trace::sum_up(std::move(facts), maker.take());
}

std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const std::size_t begin = text.find(from) + from.size();
  return text.substr(begin, text.find(to, begin) - begin);
}

// Bytes of letters; the test of base64 itself says that those are right.
std::string decoded(const std::string& text) {
  static const std::string kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char letter : text.substr(0, text.find('='))) {
    EXPECT_NE(kLetters.find(letter), kLetters.npos) << letter;
    bits = bits << 6 | static_cast<std::uint32_t>(kLetters.find(letter));
    count += 6;
    if (count >= 8) bytes += static_cast<char>(bits >> (count -= 8));
  }
  return bytes;
}

TEST(Html, HoldsTheTrace) {
  const std::string data = between(
      html_report(hostile()),
      R"(<script type="application/json" id="trace" data-encoding="gzip-base64">)", "</script>");
  EXPECT_EQ(test::unzipped(decoded(data)), json_for_page(hostile()));
}

TEST(Html, AddsNoElementOfAScript) {
  const auto scripts = [](const std::string& text) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("<script", at)) != text.npos; ++at) ++count;
    return count;
  };
  EXPECT_EQ(scripts(html_report(hostile())), scripts(std::string(html_page())) + 1);
}

TEST(Html, ShowsWithoutItsProgramWhatIsListedAndTheLargestLines) {
  Trace trace = hostile();
  const std::string listed = html_report(trace);
  EXPECT_NE(listed.find(html_table(trace) + html_largest_lines(trace)), std::string::npos);
  trace.listing.stretches.clear();
  const std::string unlisted = html_report(trace);
  const std::size_t first = unlisted.find("Largest lines");
  ASSERT_NE(first, std::string::npos) << "html_table shows them where nothing is listed";
  EXPECT_EQ(unlisted.find("Largest lines", first + 1), std::string::npos);
}

TEST(HtmlTable, OfTheLargestLinesHas50AndSaysHowManyAreLeft) {
  trace::TableMaker maker;
  const trace::Id function = maker.function("f", maker.file("/a.py", trace::Kind::kYours));
  const trace::Id thread = maker.thread("main", 1), allocator = maker.allocator("malloc");
  for (int line = 1; line <= 60; ++line) {
    const trace::Id node = maker.node(0, maker.frame(function, line));
    maker.add({node, thread, allocator, false, {line, 1, 0, 0, line, 1, 0, 0, 0, 0}});
  }
  const std::string html = html_largest_lines(trace::sum_up({}, maker.take()));
  EXPECT_NE(html.find("/a.py:60</td>"), std::string::npos);
  EXPECT_NE(html.find("/a.py:11</td>"), std::string::npos);
  EXPECT_EQ(html.find("/a.py:10</td>"), std::string::npos);
  EXPECT_NE(html.find("10 lines</p>"), std::string::npos);
}

// The numbers are the lines' own; so is their order, whatever they have called.
TEST(HtmlTable, OfTheLargestLinesIsOrderedByWhatItShows) {
  trace::TableMaker maker;
  const trace::Id function = maker.function("f", maker.file("/a.py", trace::Kind::kYours));
  const trace::Id thread = maker.thread("main", 1), allocator = maker.allocator("malloc");
  const trace::Id caller = maker.node(0, maker.frame(function, 7));
  maker.add({caller, thread, allocator, false, {10, 1, 0, 0, 10, 1, 0, 0, 0, 0}});
  const trace::Id callee = maker.node(caller, maker.frame(function, 8));
  maker.add({callee, thread, allocator, false, {1023, 1, 0, 0, 1023, 1, 0, 0, 0, 0}});
  const std::string html = html_largest_lines(trace::sum_up({}, maker.take()));
  EXPECT_LT(html.find("/a.py:8</td>"), html.find("/a.py:7</td>"));
}

TEST(HtmlTable, ShowsTheListedSourceWithItsNumbers) {
  Trace trace = hostile();
  trace.name = "load";
  const std::string html = html_table(trace);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(
      html.find("<b>load</b>: live 1000 B in 1 blocks, peak 1000 B, allocated 1000 B in 1</p>"),
      std::string::npos);
  EXPECT_NE(html.find("<td align=\"right\" nowrap style=\"background:linear-gradient(to left,"
                      "rgba(63,134,204,.3) 100%,transparent 100%)\">1000 B</td>"),
            std::string::npos);
  EXPECT_NE(html.find("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/"
                      "script&gt;&lt;!--&amp;amp;&quot;&#39;\\u2028\\u2029"),
            std::string::npos);
}

TEST(HtmlTable, IsSmallWhateverTheTrace) {
  Trace trace = hostile();
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += std::string(1000, '"') + '\n';
  trace.sources[0].text = text;
  trace.listing.stretches[0].last_line = 10'000;
  EXPECT_LT(html_table(trace).size(), 60'000U);
  EXPECT_NE(html_table(trace).find(" lines</p>"), std::string::npos);
}

}  // namespace
}  // namespace malloc_tracer::report
