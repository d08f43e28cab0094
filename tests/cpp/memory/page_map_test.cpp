// SPDX-License-Identifier: MIT
#include "memory/page_map.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <set>
#include <thread>
#include <vector>

#include "many_threads.hpp"
#include "platform/cpu.hpp"

namespace malloc_tracer::memory {
namespace {

constexpr std::uint64_t kLeafSpan = std::uint64_t{1} << 30;
constexpr std::uint64_t kFirstRefused = std::uint64_t{1} << platform::kAddressBits;

class PageMapTest : public testing::Test {
 protected:
  // Zero-initialized like the engine's, and too large for the stack. Leaves stay for the process.
  PageMap& map_ = *new PageMap{};
  void TearDown() override { delete &map_; }
};

TEST_F(PageMapTest, AnAddressWhereNothingWasRecordedHasNoCell) {
  EXPECT_EQ(map_.find(0), nullptr);
  EXPECT_EQ(map_.find(0x1234'5670), nullptr);
}

TEST_F(PageMapTest, AMadeCellIsZeroAndIsFoundAgain) {
  PageMap::Cell* cell = map_.make(0x5000'0000'0040);
  ASSERT_NE(cell, nullptr);
  EXPECT_EQ(*cell, 0u);
  *cell = 42;
  EXPECT_EQ(map_.find(0x5000'0000'0040), cell);
  EXPECT_EQ(map_.make(0x5000'0000'0040), cell);
  EXPECT_EQ(*map_.find(0x5000'0000'0040), 42u);
}

TEST_F(PageMapTest, ACellStandsForEightBytesAndTheSecondHalfOfAGranuleIsKeptApart) {
  PageMap::Cell* first = map_.make(0x5000'0000'0040);
  PageMap::Cell* second = map_.make(0x5000'0000'0048);
  EXPECT_EQ(map_.find(0x5000'0000'0041), first);
  EXPECT_EQ(map_.find(0x5000'0000'004f), second);
  EXPECT_NE(first, second);
  EXPECT_EQ(map_.find(0x5000'0000'0050), first + 1);
  EXPECT_EQ(map_.find(0x5000'0000'003f), second - 1);
}

TEST_F(PageMapTest, ALeafSpansOneGibibyte) {
  const std::uint64_t base = 5 * kLeafSpan;
  PageMap::Cell* first = map_.make(base);
  EXPECT_EQ(map_.find(base + kLeafSpan - 16), first + (kLeafSpan / 16 - 1));
  EXPECT_EQ(map_.find(base + kLeafSpan), nullptr);
  EXPECT_EQ(map_.find(base - 16), nullptr);
  EXPECT_NE(map_.make(base + kLeafSpan), nullptr);
}

TEST_F(PageMapTest, EqualOffsetsInDifferentLeavesAreDifferentCells) {
  std::set<PageMap::Cell*> cells;
  for (std::uint64_t leaf = 0; leaf < 8; leaf++) {
    PageMap::Cell* cell = map_.make(leaf * kLeafSpan + 0x1230);
    *cell = leaf + 1;
    cells.insert(cell);
  }
  EXPECT_EQ(cells.size(), 8u);
  for (std::uint64_t leaf = 0; leaf < 8; leaf++) {
    EXPECT_EQ(*map_.find(leaf * kLeafSpan + 0x1230), leaf + 1);
  }
}

TEST_F(PageMapTest, AddressesThatNoProgramHasAreRefused) {
  EXPECT_NE(map_.make(kFirstRefused - 16), nullptr);
  for (std::uint64_t address : {kFirstRefused, kFirstRefused + 0x40, ~std::uint64_t{0}}) {
    EXPECT_EQ(map_.find(address), nullptr);
    EXPECT_EQ(map_.make(address), nullptr);
  }
}

TEST_F(PageMapTest, ClearMakesEveryCellZeroAndKeepsTheLeaves) {
  PageMap::Cell* a = map_.make(0x40);
  PageMap::Cell* b = map_.make(7 * kLeafSpan + 0x80);
  *a = 1;
  *b = 2;
  map_.clear();
  EXPECT_EQ(map_.find(0x40), a);
  EXPECT_EQ(map_.find(7 * kLeafSpan + 0x80), b);
  EXPECT_EQ(*a, 0u);
  EXPECT_EQ(*b, 0u);
}

TEST_F(PageMapTest, ACellHasAnAccountBetweenGenerationAndSize) {
  const PageMap::Cell cell = std::uint64_t{0xab} << PageMap::kGenerationShift |
                             std::uint64_t{0x123456} << PageMap::kAccountShift | 0xffff'ffff;
  EXPECT_EQ(PageMap::account(cell), 0x123456u);
  EXPECT_EQ(PageMap::bytes(cell), PageMap::kMostBytes);
  EXPECT_EQ(PageMap::bytes(cell ^ PageMap::kApart), PageMap::kMostBytes);
  EXPECT_EQ(PageMap::account(~std::uint64_t{0}), PageMap::kAccountMask);
}

TEST_F(PageMapTest, ALaterGenerationIsGreaterWhateverTheRestOfTheCellSays) {
  const std::uint64_t generation = std::uint64_t{7} << PageMap::kGenerationShift;
  const PageMap::Cell largest_before = generation - 1;  // every account and size bit is set
  EXPECT_LT(largest_before, generation);
  EXPECT_GE(generation | 0, generation);
}

TEST_F(PageMapTest, ThreadsThatMakeTheSameLeafAtOnceAgreeOnIt) {
  constexpr std::uint64_t kLeaves = 32;
  std::vector<std::vector<PageMap::Cell*>> cells(static_cast<std::size_t>(kManyThreads));
  std::atomic<int> ready{0};
  std::vector<std::thread> threads;
  for (std::vector<PageMap::Cell*>& mine : cells) {
    threads.emplace_back([&] {
      ready++;
      while (ready < kManyThreads) {
      }
      for (std::uint64_t leaf = 0; leaf < kLeaves; leaf++) {
        mine.push_back(map_.make(leaf * kLeafSpan + 0x40));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<PageMap::Cell*>& mine : cells) EXPECT_EQ(mine, cells[0]);
}

}  // namespace
}  // namespace malloc_tracer::memory
