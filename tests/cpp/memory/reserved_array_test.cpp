// SPDX-License-Identifier: MIT
#include "memory/reserved_array.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cstdint>

#include "memory/address_space_limit.hpp"

namespace malloc_tracer::memory {
namespace {

constexpr std::uint32_t kPage = 4096;

TEST(ReservedArrayTest, IsEmptyBeforeItIsReserved) {
  ReservedArray<std::uint64_t> array;
  EXPECT_EQ(array.capacity(), 0u);
  EXPECT_EQ(array.data(), nullptr);
  array.release();
  EXPECT_EQ(array.capacity(), 0u);
}

TEST(ReservedArrayTest, ElementsAreZeroAndStayWhereTheyAre) {
  ReservedArray<std::uint64_t> array;
  ASSERT_TRUE(array.reserve(1u << 28, 1u << 28));  // 2 GiB of addresses, two pages of memory
  EXPECT_EQ(array.capacity(), 1u << 28);
  EXPECT_EQ(array[0], 0u);
  EXPECT_EQ(array[(1u << 28) - 1], 0u);
  const std::uint64_t* first = array.data();
  array[0] = 1;
  array[(1u << 28) - 1] = 2;
  EXPECT_EQ(array.data(), first);
  EXPECT_EQ(first[(1u << 28) - 1], 2u);
  array.release();
}

TEST(ReservedArrayTest, IsEmptyAgainAfterRelease) {
  ReservedArray<int> array;
  ASSERT_TRUE(array.reserve(1024, 1024, 64));
  array[5] = 5;
  array.release();
  EXPECT_EQ(array.capacity(), 0u);
  EXPECT_EQ(array.data(), nullptr);
  ASSERT_TRUE(array.reserve(2048, 2048));
  EXPECT_EQ(array[5], 0);
  array.release();
}

TEST(ReservedArrayTest, AStaggeredArrayStandsThatFarFromAPage) {
  ReservedArray<std::uint64_t> array;
  ASSERT_TRUE(array.reserve(1024, 1024, 832));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(array.data()) % kPage, 832u);
  array[1023] = 7;  // the stagger has been added to the room
  EXPECT_EQ(array[1023], 7u);
  array.release();
}

TEST(ReservedArrayTest, ClearOfAFewElementsLeavesTheOthers) {
  ReservedArray<std::uint32_t> array;
  ASSERT_TRUE(array.reserve(1024, 1024, 128));
  for (std::uint32_t i = 0; i < 1024; i++) array[i] = i + 1;
  array.clear(100);
  for (std::uint32_t i = 0; i < 100; i++) ASSERT_EQ(array[i], 0u);
  for (std::uint32_t i = 100; i < 1024; i++) ASSERT_EQ(array[i], i + 1);
  array.clear(0);
  EXPECT_EQ(array[100], 101u);
  array.release();
}

TEST(ReservedArrayTest, ClearOfManyElementsGivesPagesBackAndLeavesLaterPages) {
  constexpr std::uint32_t kCount = 200'000, kCleared = 150'000;  // 600,000 bytes: forgotten
  ReservedArray<std::uint32_t> array;
  ASSERT_TRUE(array.reserve(kCount, kCount, 128));
  for (std::uint32_t i = 0; i < kCount; i++) array[i] = i + 1;
  array.clear(kCleared);
  for (std::uint32_t i = 0; i < kCleared; i++) ASSERT_EQ(array[i], 0u);
  for (std::uint32_t i = kCleared + kPage; i < kCount; i++) ASSERT_EQ(array[i], i + 1);
  array.release();
}

TEST(ReservedArrayTest, TakesHalvesOfTheCapacityWhereAddressesAreShort) {
  AddressSpaceLimit limit(96u << 20);
  if (!limit.set()) GTEST_SKIP() << "no limit on address space here";
  ReservedArray<std::uint8_t> array;
  const bool reserved = array.reserve(1u << 30, 1u << 20);
  limit.lift();
  ASSERT_TRUE(reserved);
  EXPECT_LE(array.capacity(), 1u << 26);
  EXPECT_GE(array.capacity(), 1u << 20);
  EXPECT_TRUE(std::has_single_bit(array.capacity()));
  array[array.capacity() - 1] = 1;
  array.release();
}

TEST(ReservedArrayTest, IsNotReservedWhereNotEvenTheLeastFits) {
  AddressSpaceLimit limit(1u << 20);
  if (!limit.set()) GTEST_SKIP() << "no limit on address space here";
  ReservedArray<std::uint8_t> array;
  const bool reserved = array.reserve(1u << 30, 1u << 24);
  limit.lift();
  EXPECT_FALSE(reserved);
  EXPECT_EQ(array.capacity(), 0u);
}

}  // namespace
}  // namespace malloc_tracer::memory
