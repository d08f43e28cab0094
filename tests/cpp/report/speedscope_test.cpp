// SPDX-License-Identifier: MIT
#include "report/speedscope.hpp"

#include <gtest/gtest.h>

#include <string>

#include "report/golden.hpp"
#include "report/sample_traces.hpp"

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

TEST(Speedscope, OfNothingHasEmptyProfiles) {
  const std::string text = speedscope({});
  EXPECT_NE(text.find(R"({"type":"evented","name":"live_count","unit":"none","startValue":0,)"
                      R"("endValue":0,"events":[]},)"),
            std::string::npos);
}

}  // namespace
}  // namespace malloc_tracer::report
