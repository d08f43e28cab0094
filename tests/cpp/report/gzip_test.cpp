// SPDX-License-Identifier: MIT
#include "report/gzip.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "report/base64.hpp"
#include "report/prefix_code.hpp"
#include "report/unzipped.hpp"

namespace malloc_tracer::report {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace): "..."s with zeros
using test::unzipped;

TEST(Gzip, BeginsWithItsHeadAndEndsInChecksumAndLength) {
  const std::string file = gzip("123456789");
  EXPECT_EQ(file.substr(0, 10), "\x1f\x8b\x08\0\0\0\0\0\0\xff"s);
  // Its CRC-32 is 0xcbf43926, the check value of that algorithm.
  EXPECT_EQ(file.substr(file.size() - 8), "\x26\x39\xf4\xcb\x09\0\0\0"s);
  EXPECT_EQ(unzipped(file), "123456789");
}

TEST(Gzip, EqualContentsAreEqualFiles) { EXPECT_EQ(gzip("some text"), gzip("some text")); }

TEST(Gzip, IsReadBackWhateverTheContent) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  for (const std::string& content :
       {""s, "a"s, "aa"s, "abcd"s, "abcdabcd"s, "\0"s, bytes, bytes + bytes}) {
    EXPECT_EQ(unzipped(gzip(content)), content);
  }
  // Runs about the longest match, and repetitions of `bytes` from as far back as may be.
  for (const std::size_t size : {257, 258, 259, 32768 - 257, 32768 - 256, 32768 - 255, 70'000}) {
    const std::string run(size, 'x');
    EXPECT_EQ(unzipped(gzip(run)), run);
    const std::string far_apart = bytes + run + bytes;
    EXPECT_EQ(unzipped(gzip(far_apart)), far_apart);
  }
}

TEST(Gzip, IsReadBackAfterRandomContent) {
  std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same every time
  const auto below = [&](std::size_t limit) { return random() % limit; };
  for (int round = 0; round < 300; ++round) {
    // Few letters make matches of every length, many make none; copies reach back any distance.
    const std::size_t letters = 1 + below(std::size_t{1} << below(9)), parts = below(60);
    std::string content;
    for (std::size_t part = 0; part < parts; ++part) {
      if (const std::size_t size = 1 + below(2000); below(2) == 0 && !content.empty()) {
        content += content.substr(below(content.size()), size);
      } else {
        for (std::size_t i = 0; i < size; ++i) content += static_cast<char>(below(letters));
      }
    }
    ASSERT_EQ(unzipped(gzip(content)), content) << "round " << round;
  }
}

TEST(Gzip, IsSmall) {
  std::string numbers;
  for (int i = 0; i < 100'000; ++i) numbers += std::to_string(i % 1000 * i % 777) + ',';
  EXPECT_LT(gzip(numbers).size(), numbers.size() / 3);
  EXPECT_LT(gzip(std::string(1'000'000, '0')).size(), 2000U);
  std::string noise;
  std::mt19937 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same every time
  for (int i = 0; i < 100'000; ++i) noise += static_cast<char>(random());
  EXPECT_LT(gzip(noise).size(), noise.size() + noise.size() / 200) << "at worst hardly longer";
}

// Frequencies that grow as Fibonacci's numbers make the longest codes.
TEST(PrefixCode, IsNoLongerThanItMayBe) {
  Counts counts = {1, 1};
  while (counts.size() < 40) counts.push_back(counts.end()[-1] + counts.end()[-2]);
  const PrefixCode code(counts, 15);
  std::uint64_t space = 0;
  for (const std::uint8_t length : code.lengths) {
    EXPECT_GE(length, 1);
    EXPECT_LE(length, 15);
    space += std::uint64_t{1} << (15 - length);
  }
  EXPECT_EQ(space, 1U << 15) << "no code is left over, none is given twice";
}

TEST(PrefixCode, HasTwoSymbolsAtLeast) {
  EXPECT_EQ(PrefixCode({0, 0, 0}, 15).lengths, (std::vector<std::uint8_t>{1, 1, 0}));
  EXPECT_EQ(PrefixCode({0, 0, 7}, 15).lengths, (std::vector<std::uint8_t>{1, 0, 1}));
}

TEST(Base64, IsThatOfTheStandard) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("\xfb\xff\xfe"), "+//+");
}

}  // namespace
}  // namespace malloc_tracer::report
