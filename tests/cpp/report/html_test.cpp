// SPDX-License-Identifier: MIT
#include "report/html.hpp"

#include <gtest/gtest.h>

#include <string>

#include "report/html_page.hpp"
#include "report/html_table.hpp"
#include "report/json.hpp"
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

TEST(Html, HoldsTheTraceAndNothingThatEndsItsElement) {
  const std::string html = html_report(hostile());
  const std::string json =
      between(html, "<script type=\"application/json\" id=\"trace\" data-encoding=\"identity\">",
              "</script>");
  EXPECT_EQ(json.find_first_of("<>&"), std::string::npos);
  EXPECT_EQ(json.find("\xe2\x80\xa8"), std::string::npos);
  EXPECT_NE(json.find("\xe2\x82\xac"), std::string::npos) << "other characters stay";
  EXPECT_TRUE(read_json(json) == hostile());
}

TEST(Html, AddsNoElementOfAScript) {
  const auto scripts = [](const std::string& text) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("<script", at)) != text.npos; ++at) ++count;
    return count;
  };
  EXPECT_EQ(scripts(html_report(hostile())), scripts(std::string(html_page())) + 1);
}

TEST(HtmlTable, ShowsTheListedSourceWithItsNumbers) {
  Trace trace = hostile();
  trace.name = "load";
  const std::string html = html_table(trace);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_NE(
      html.find("<b>load</b>: live 1000 B in 1 blocks, peak 1000 B, allocated 1000 B in 1</p>"),
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
