// SPDX-License-Identifier: MIT
#include "report/dhat.hpp"

#include <gtest/gtest.h>

#include "report/golden.hpp"
#include "report/sample_traces.hpp"

namespace malloc_tracer::report {
namespace {

TEST(Dhat, HasAPointForEachNodeWithNumbersInnermostFrameFirst) {
  test::expect_golden("sample.dhat.json", dhat(test::sample_trace()));
}

TEST(Dhat, NamesStayInTheirQuotes) {
  test::expect_golden("hostile.dhat.json", dhat(test::hostile_trace()));
}

TEST(Dhat, OfADifferenceHasItsSigns) {
  test::expect_golden("difference.dhat.json", dhat(test::difference()));
}

TEST(Dhat, OfNothingIsValid) {
  EXPECT_EQ(dhat({}),
            R"({"dhatFileVersion":2,"mode":"heap","verb":"Allocated","bklt":true,"bkacc":false,)"
            R"("tu":"ns","Mtu":"ms","tuth":0,"cmd":"","pid":0,"tg":0,"te":0,"pps":[],)"
            R"("ftbl":["[root]","<native>"]})");
}

}  // namespace
}  // namespace malloc_tracer::report
