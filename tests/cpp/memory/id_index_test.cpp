// SPDX-License-Identifier: MIT
#include "memory/id_index.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <random>
#include <unordered_map>
#include <vector>

namespace malloc_tracer::memory {
namespace {

// A table of numbers, indexed by content.
class Numbers {
 public:
  // With few `homes` many numbers want the same slot.
  explicit Numbers(std::uint64_t homes = 0) : homes_(homes) {}

  std::uint32_t find(std::uint64_t content) const {
    return index_.find(hash(content), [&](std::uint32_t id) { return contents_[id] == content; });
  }
  std::uint32_t insert(std::uint64_t content) {
    contents_.push_back(content);
    const auto id = static_cast<std::uint32_t>(contents_.size() - 1);
    EXPECT_TRUE(index_.insert(hash(content), id, HashOf{*this}));
    return id;
  }
  void erase(std::uint64_t content, std::uint32_t id) {
    index_.erase(hash(content), id, HashOf{*this});
  }
  void clear() { index_.clear(); }

 private:
  struct HashOf {
    const Numbers& numbers;
    std::uint64_t operator()(std::uint32_t id) const { return numbers.hash(numbers.contents_[id]); }
  };

  std::uint64_t hash(std::uint64_t content) const {
    return homes_ == 0 ? hash_pair(content, 1) : (content % homes_) << 32;
  }
  std::uint64_t homes_;
  std::vector<std::uint64_t> contents_{0};  // id 0 is nobody
  IdIndex index_;
};

TEST(IdIndexTest, FindsNothingBeforeTheFirstInsert) {
  Numbers numbers;
  EXPECT_EQ(numbers.find(7), 0u);
  numbers.clear();
  EXPECT_EQ(numbers.find(7), 0u);
}

TEST(IdIndexTest, FindsWhatWasInsertedAndNothingElse) {
  Numbers numbers;
  const std::uint32_t seven = numbers.insert(7), eight = numbers.insert(8);
  EXPECT_EQ(numbers.find(7), seven);
  EXPECT_EQ(numbers.find(8), eight);
  EXPECT_EQ(numbers.find(9), 0u);
}

TEST(IdIndexTest, AnErasedContentIsGoneAndItsNeighboursAreStillFound) {
  Numbers numbers(1);  // all want the same slot
  const std::uint32_t a = numbers.insert(10), b = numbers.insert(20), c = numbers.insert(30);
  numbers.erase(10, a);
  EXPECT_EQ(numbers.find(10), 0u);
  EXPECT_EQ(numbers.find(20), b);
  EXPECT_EQ(numbers.find(30), c);
  const std::uint32_t again = numbers.insert(10);
  EXPECT_EQ(numbers.find(10), again);
}

TEST(IdIndexTest, ErasingWhatIsNotInChangesNothing) {
  Numbers numbers(4);
  const std::uint32_t a = numbers.insert(1);
  numbers.erase(1, a + 1);
  EXPECT_EQ(numbers.find(1), a);
}

TEST(IdIndexTest, ARunOfSlotsThatWrapsAroundTheEndIsShiftedBackToo) {
  Numbers numbers(std::uint64_t{1} << 40);
  // Homes 1022, 1022, 1023, 1022, 0: the last three stand in slots 0, 1 and 2 of 1,024.
  const std::vector<std::uint64_t> contents = {1022, 1022 + 1024, 1023, 1022 + 2048, 1024};
  std::vector<std::uint32_t> ids;
  for (std::uint64_t content : contents) ids.push_back(numbers.insert(content));
  numbers.erase(contents[0], ids[0]);
  for (std::size_t i = 1; i < contents.size(); i++) EXPECT_EQ(numbers.find(contents[i]), ids[i]);
  numbers.erase(contents[2], ids[2]);
  EXPECT_EQ(numbers.find(contents[1]), ids[1]);
  EXPECT_EQ(numbers.find(contents[3]), ids[3]);
  EXPECT_EQ(numbers.find(contents[4]), ids[4]);
}

TEST(IdIndexTest, GrowsWithoutLosingAnything) {
  Numbers numbers;
  std::vector<std::uint32_t> ids;
  for (std::uint64_t content = 0; content < 100'000; content++) {
    ids.push_back(numbers.insert(content * 16));
  }
  for (std::uint64_t content = 0; content < 100'000; content++) {
    ASSERT_EQ(numbers.find(content * 16), ids[content]);
  }
  EXPECT_EQ(numbers.find(8), 0u);
}

TEST(IdIndexTest, ClearForgetsAllAtAnySize) {
  for (std::uint64_t size : {10u, 10'000u}) {
    Numbers numbers;
    for (std::uint64_t content = 0; content < size; content++) numbers.insert(content);
    numbers.clear();
    for (std::uint64_t content = 0; content < size; content++) {
      ASSERT_EQ(numbers.find(content), 0u);
    }
    const std::uint32_t id = numbers.insert(3);
    EXPECT_EQ(numbers.find(3), id);
    EXPECT_EQ(numbers.find(4), 0u);
  }
}

void behaves_like_a_hash_map(std::uint64_t homes, std::uint64_t contents, int steps) {
  Numbers numbers(homes);
  std::unordered_map<std::uint64_t, std::uint32_t> expected;
  std::mt19937_64 random(contents);
  for (int step = 0; step < steps; step++) {
    const std::uint64_t content = random() % contents;
    const auto there = expected.find(content);
    const std::uint32_t id = numbers.find(content);
    ASSERT_EQ(id, there == expected.end() ? 0 : there->second) << "step " << step;
    if (id == 0) {
      expected[content] = numbers.insert(content);
    } else {
      numbers.erase(content, id);
      expected.erase(there);
    }
    if (random() % 50'000 == 0) {
      numbers.clear();
      expected.clear();
    }
  }
  for (std::uint64_t content = 0; content < contents; content++) {
    const auto there = expected.find(content);
    ASSERT_EQ(numbers.find(content), there == expected.end() ? 0 : there->second);
  }
}

TEST(IdIndexTest, BehavesLikeAHashMapOnRandomData) { behaves_like_a_hash_map(0, 3'000, 300'000); }

TEST(IdIndexTest, BehavesLikeAHashMapWhereManyWantTheSameSlots) {
  behaves_like_a_hash_map(100, 600, 300'000);
  behaves_like_a_hash_map(1023, 900, 300'000);
}

TEST(HashPairTest, SpreadsSmallNumbersOverTheUpperHalf) {
  // 64 x 64 pairs into 4,096 slots: a random function leaves about 1,507 empty.
  std::vector<int> slots(4096);
  for (std::uint64_t a = 0; a < 64; a++) {
    for (std::uint64_t b = 0; b < 64; b++) slots[(hash_pair(a, b) >> 32) % 4096]++;
  }
  int most = 0, empty = 0;
  for (int used : slots) {
    most = std::max(most, used);
    empty += used == 0;
  }
  EXPECT_LE(most, 12);
  EXPECT_LE(empty, 2200);
}

}  // namespace
}  // namespace malloc_tracer::memory
