// SPDX-License-Identifier: MIT
#include "trace/alignment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace malloc_tracer::trace {
namespace {

std::vector<std::size_t> ids(const std::string& letters) {
  return {letters.begin(), letters.end()};
}

// Of letters, those of `a` that were found, and in their place the others as dots.
std::string found(const std::string& a, const std::string& b) {
  std::string shown(a.size(), '.');
  for (const auto& [at_a, at_b] : align(ids(a), ids(b))) {
    EXPECT_EQ(a[at_a], b[at_b]);
    shown[at_a] = a[at_a];
  }
  return shown;
}

TEST(Alignment, OfEqualAndOfDifferentSequences) {
  EXPECT_EQ(found("", ""), "");
  EXPECT_EQ(found("abc", ""), "...");
  EXPECT_EQ(found("abc", "abc"), "abc");
  EXPECT_EQ(found("abc", "xyz"), "...");
}

TEST(Alignment, FindsWhatWasPutInAndWhatIsGone) {
  EXPECT_EQ(found("abc", "abxc"), "abc");
  EXPECT_EQ(found("abxc", "abc"), "ab.c");
  EXPECT_EQ(found("xyx", "yx"), ".yx");
}

TEST(Alignment, KeepsTheMostOfWhatHasChangedItsOrder) {
  EXPECT_EQ(found("pabc", "abcp"), ".abc");
  EXPECT_EQ(found("abcp", "pabc"), "abc.");
}

// There is nothing between the brackets that both have once.
TEST(Alignment, OfRepetitionsIsALongestCommonSubsequence) {
  EXPECT_EQ(found("aabbaabb", "bbaabbaa"), "..bbaabb");
  EXPECT_EQ(found("abab", "baba"), ".bab");
}

TEST(Alignment, PairsEqualsInAscendingOrder) {
  std::mt19937 random(7);  // NOLINT: the same every time
  for (int round = 0; round < 500; ++round) {
    const auto sequence = [&] {
      std::vector<std::size_t> all(random() % 40);
      for (std::size_t& one : all) one = random() % 12;
      return all;
    };
    const std::vector<std::size_t> a = sequence(), b = sequence();
    const Alignment pairs = align(a, b);
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      ASSERT_EQ(a[pairs[i].first], b[pairs[i].second]);
      if (i == 0) continue;
      ASSERT_LT(pairs[i - 1].first, pairs[i].first);
      ASSERT_LT(pairs[i - 1].second, pairs[i].second);
    }
  }
}

// The table for it would have 10^10 cells.
TEST(Alignment, OfVeryLongRepetitionsFindsTheirEnds) {
  std::string a, b;
  for (int i = 0; i < 100'000; ++i) a += "ab";
  b = a;
  b.insert(b.size() / 2, "bbaa");
  EXPECT_EQ(found(a, b), a);
  b[100] = b[100] == 'a' ? 'b' : 'a';
  std::string ends = found(a, b);
  EXPECT_EQ(ends.substr(0, 100), a.substr(0, 100));
  EXPECT_EQ(ends.substr(100'100), a.substr(100'100));
}

}  // namespace
}  // namespace malloc_tracer::trace
