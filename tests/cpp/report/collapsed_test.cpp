// SPDX-License-Identifier: MIT
#include "report/collapsed.hpp"

#include <gtest/gtest.h>

#include "report/sample_traces.hpp"

namespace malloc_tracer::report {
namespace {

TEST(Collapsed, HasALineForEachPathWithBytesAtThePeak) {
  EXPECT_EQ(collapsed(test::sample_trace()),
            "<native> 64\n"
            "main (/src/app.py:10);load (/src/app.py:20) 1300\n"
            "main (/src/app.py:10);load (/src/app.py:21);load (/src/app.py:20) 7\n");
}

TEST(Collapsed, NamesEndNeitherAFrameNorALine) {
  EXPECT_EQ(collapsed(test::hostile_trace()),
            "f 12:\\x0d\\x0a</script>  \\x01\\u202e\xc3\xa9 "
            "(/a:b\\x0a\"\\\\ufffd\\ufffd\\ufffd\\ufffd.py:3) 5\n");
}

TEST(Collapsed, LeavesOutWhatHasShrunk) {
  EXPECT_EQ(collapsed(test::difference()), "load (/src/app.py:20) 30\n");
}

TEST(Collapsed, OfNothingIsEmpty) {
  EXPECT_EQ(collapsed({}), "");
  EXPECT_EQ(collapsed(trace::sum_up({}, trace::TableMaker().take())), "");
}

}  // namespace
}  // namespace malloc_tracer::report
