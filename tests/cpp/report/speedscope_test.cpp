// SPDX-License-Identifier: MIT
#include "report/speedscope.hpp"

#include <gtest/gtest.h>

#include <string>

#include "report/golden.hpp"
#include "report/sample_traces.hpp"
#include "trace/tables.hpp"

namespace malloc_tracer::report {
namespace {

TEST(Speedscope, HasAProfileForEachNumber) {
  test::expect_golden("sample.speedscope.json", speedscope(test::sample_trace()));
}

TEST(Speedscope, NamesStayInTheirQuotes) {
  test::expect_golden("hostile.speedscope.json", speedscope(test::hostile_trace()));
}

TEST(Speedscope, LeavesOutWhatHasShrunk) {
  test::expect_golden("difference.speedscope.json", speedscope(test::difference()));
}

// Samples of deep stacks would take the square of the depth.
TEST(Speedscope, OfDeepRecursionHasEvents) {
  trace::TableMaker maker;
  const auto frame = maker.frame(maker.function("f", maker.file("/a.py", trace::Kind::kYours)), 1);
  trace::Id node = 0;
  for (int depth = 0; depth < 1000; ++depth) {
    node = maker.node(node, frame);
    maker.add({node,
               maker.thread("main", 1),
               maker.allocator("malloc"),
               false,
               {1, 0, 0, 0, 0, 0, 0, 0, 0, 0}});
  }
  const std::string text = speedscope(trace::sum_up({}, maker.take()));
  EXPECT_NE(text.find(R"("name":"live_bytes","unit":"bytes","startValue":0,"endValue":1000,)"
                      R"("events":[{"type":"O","frame":1,"at":0},{"type":"O","frame":1,"at":1},)"),
            std::string::npos);
  EXPECT_LT(text.size(), 100'000U);
}

TEST(Speedscope, OfNothingHasEmptyProfiles) {
  const std::string text = speedscope({});
  EXPECT_NE(text.find(R"({"type":"evented","name":"live_count","unit":"none","startValue":0,)"
                      R"("endValue":0,"events":[]},)"),
            std::string::npos);
}

}  // namespace
}  // namespace malloc_tracer::report
