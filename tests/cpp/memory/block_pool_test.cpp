// SPDX-License-Identifier: MIT
#include "memory/block_pool.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <random>
#include <vector>

#include "memory/address_space_limit.hpp"

namespace malloc_tracer::memory {
namespace {

bool is_zero(const void* block, std::size_t bytes) {
  const auto* p = static_cast<const unsigned char*>(block);
  for (std::size_t i = 0; i < bytes; i++) {
    if (p[i] != 0) return false;
  }
  return true;
}

// Not inline: gcc takes the pool's link in a freed block for its whole size, and warns.
[[gnu::noinline]] void fill(void* block, unsigned char value, std::size_t bytes) {
  std::memset(block, value, bytes);
}

TEST(BlockPoolTest, ANewBlockIsZero) {
  BlockPool pool;
  void* block = pool.allocate(100);
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(is_zero(block, 100));
}

TEST(BlockPoolTest, AFreedBlockIsReusedForItsSizeClassAndIsZeroAgain) {
  BlockPool pool;
  void* block = pool.allocate(100);
  fill(block, 0xff, 100);
  pool.deallocate(block, 100);
  EXPECT_NE(pool.allocate(64), block);   // the class below
  EXPECT_NE(pool.allocate(129), block);  // the class above
  EXPECT_EQ(pool.allocate(65), block);
  EXPECT_TRUE(is_zero(block, 65));
  EXPECT_NE(pool.allocate(128), block);  // taken
}

TEST(BlockPoolTest, TheLastFreedIsTheFirstReused) {
  BlockPool pool;
  void* a = pool.allocate(32);
  void* b = pool.allocate(32);
  pool.deallocate(a, 32);
  pool.deallocate(b, 32);
  EXPECT_EQ(pool.allocate(32), b);
  EXPECT_EQ(pool.allocate(32), a);
}

TEST(BlockPoolTest, SizesUpToSixteenShareAClass) {
  BlockPool pool;
  void* block = pool.allocate(0);
  ASSERT_NE(block, nullptr);
  pool.deallocate(block, 0);
  EXPECT_EQ(pool.allocate(16), block);
  pool.deallocate(block, 16);
  EXPECT_EQ(pool.allocate(1), block);
  pool.deallocate(block, 1);
  EXPECT_NE(pool.allocate(17), block);
}

TEST(BlockPoolTest, FreeingNothingIsAllowed) {
  BlockPool pool;
  pool.deallocate(nullptr, 0);
  pool.deallocate(nullptr, 1000);
  EXPECT_NE(pool.allocate(1000), nullptr);
}

TEST(BlockPoolTest, ABlockLargerThanAChunkIsMappedAndReused) {
  BlockPool pool;
  constexpr std::size_t kBytes = 5'000'000;
  auto* block = static_cast<unsigned char*>(pool.allocate(kBytes));
  ASSERT_NE(block, nullptr);
  EXPECT_TRUE(is_zero(block, kBytes));
  block[0] = block[kBytes - 1] = 1;
  pool.deallocate(block, kBytes);
  EXPECT_EQ(pool.allocate(kBytes), block);
  EXPECT_TRUE(is_zero(block, kBytes));
}

TEST(BlockPoolTest, BlocksInUseNeverOverlapAndKeepTheirContent) {
  BlockPool pool;
  struct Block {
    unsigned char* data;
    std::size_t bytes;
    unsigned char value;
  };
  std::vector<Block> blocks;
  std::map<std::uintptr_t, std::size_t> ranges;
  std::mt19937 random(1);
  for (int step = 0; step < 20'000; step++) {
    if (blocks.size() < 200 && random() % 2 == 0) {
      const std::size_t bytes = std::size_t{1} << (random() % 15);
      const std::size_t asked = 1 + random() % bytes;
      auto* data = static_cast<unsigned char*>(pool.allocate(asked));
      ASSERT_TRUE(is_zero(data, asked));
      const auto value = static_cast<unsigned char>(1 + random() % 255);
      fill(data, value, asked);
      const auto start = reinterpret_cast<std::uintptr_t>(data);
      const auto next = ranges.lower_bound(start);
      ASSERT_TRUE(next == ranges.end() || start + asked <= next->first);
      ASSERT_TRUE(next == ranges.begin() ||
                  std::prev(next)->first + std::prev(next)->second <= start);
      ranges[start] = asked;
      blocks.push_back({data, asked, value});
    } else if (!blocks.empty()) {
      std::swap(blocks[random() % blocks.size()], blocks.back());
      const Block block = blocks.back();
      blocks.pop_back();
      for (std::size_t i = 0; i < block.bytes; i++) ASSERT_EQ(block.data[i], block.value);
      ranges.erase(reinterpret_cast<std::uintptr_t>(block.data));
      pool.deallocate(block.data, block.bytes);
    }
  }
}

TEST(BlockPoolTest, GivesNothingWhereMemoryIsShortButWhatWasFreed) {
  BlockPool pool;
  void* kept = pool.allocate(512 * 1024);
  pool.deallocate(kept, 512 * 1024);
  AddressSpaceLimit limit(128 * 1024);
  if (!limit.set()) GTEST_SKIP() << "no limit on address space here";
  void* small = pool.allocate(16);
  void* large = pool.allocate(1024 * 1024);
  void* again = pool.allocate(512 * 1024);
  limit.lift();
  EXPECT_EQ(small, nullptr);
  EXPECT_EQ(large, nullptr);
  EXPECT_EQ(again, kept);
  EXPECT_NE(pool.allocate(16), nullptr);
}

}  // namespace
}  // namespace malloc_tracer::memory
