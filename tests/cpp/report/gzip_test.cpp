// SPDX-License-Identifier: MIT
#include "report/gzip.hpp"

#include <gtest/gtest.h>

#include <string>

namespace malloc_tracer::report {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace): "..."s with zeros

const std::string kHeader = "\x1f\x8b\x08\0\0\0\0\0\0\xff"s;

TEST(Gzip, OfNothingHasOneEmptyBlock) {
  EXPECT_EQ(gzip(""), kHeader + "\1\0\0\xff\xff"s + "\0\0\0\0\0\0\0\0"s);
}

TEST(Gzip, EndsInChecksumAndLength) {
  EXPECT_EQ(gzip("123456789"),  // its CRC-32 is 0xcbf43926, the check value of that algorithm
            kHeader + "\1\x09\0\xf6\xff"s + "123456789" + "\x26\x39\xf4\xcb\x09\0\0\0"s);
}

TEST(Gzip, SplitsAfter65535Bytes) {
  const std::string longest(0xffff, 'x');
  const std::string one_block = gzip(longest);
  EXPECT_EQ(one_block.substr(0, 15), kHeader + "\1\xff\xff\0\0"s);
  EXPECT_EQ(one_block.size(), 10U + 5 + 0xffff + 8);
  const std::string two_blocks = gzip(longest + "y");
  EXPECT_EQ(two_blocks.substr(0, 15), kHeader + "\0\xff\xff\0\0"s);
  EXPECT_EQ(two_blocks.substr(15 + 0xffff, 6), "\1\1\0\xfe\xffy"s);
}

}  // namespace
}  // namespace malloc_tracer::report
