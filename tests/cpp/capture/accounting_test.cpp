// SPDX-License-Identifier: MIT
// The rules of "What the numbers mean", one test each, driven through the events.
#include "capture/accounting.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "capture/engine_test.hpp"

namespace malloc_tracer::capture {
namespace {

using snapshot::Counters;
using snapshot::Snapshot;
using test::allocators;
using test::call;
using test::EngineTest;
using test::lost;
using test::ManualFrames;
using test::marker;
using test::Program;
using test::Stacks;
using test::stacks;
using test::threads;
using test::total;
using test::WaitingThread;

constexpr std::uint64_t kGiant = memory::PageMap::kMostBytes + 1;

class AccountingTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    program_ = std::make_unique<Program>();
  }
  Program& program() { return *program_; }

 private:
  std::unique_ptr<Program> program_;
};

// -- the ten numbers

TEST_F(AccountingTest, AnEmptyScopeHasNoRowsAndLostNothing) {
  const ScopeRef scope = begin();
  const Snapshot snapshot = snapshot_of(scope);
  EXPECT_TRUE(snapshot.rows.empty());
  EXPECT_TRUE(snapshot.lost.empty());
  EXPECT_EQ(snapshot.nodes.size(), 1u);
}

TEST_F(AccountingTest, ALiveBlockIsAllocatedAndInThePeak) {
  const ScopeRef scope = begin();
  program().alloc(1, 100);
  EXPECT_EQ(total(snapshot_of(scope)), (Counters{.live_bytes = 100,
                                                 .live_count = 1,
                                                 .peak_bytes = 100,
                                                 .peak_count = 1,
                                                 .allocated_bytes = 100,
                                                 .allocated_count = 1}));
}

TEST_F(AccountingTest, LiveIsAllocatedLessFreed) {
  const ScopeRef scope = begin();
  program().alloc(1, 100).alloc(2, 50).alloc(3, 7).free(1);
  EXPECT_EQ(total(snapshot_of(scope)), (Counters{.live_bytes = 57,
                                                 .live_count = 2,
                                                 .peak_bytes = 157,
                                                 .peak_count = 3,
                                                 .allocated_bytes = 157,
                                                 .allocated_count = 3,
                                                 .freed_bytes = 100,
                                                 .freed_count = 1}));
}

TEST_F(AccountingTest, FreedIsChargedToThePlaceThatAllocated) {
  const ScopeRef scope = begin();
  const PathId f = call(program().bottom(), "f"), g = call(program().bottom(), "g");
  program().at(f).alloc(1, 100).alloc(2, 1).at(g).free(1);
  EXPECT_EQ(stacks(snapshot_of(scope)), (Stacks{{"f",
                                                 {.live_bytes = 1,
                                                  .live_count = 1,
                                                  .peak_bytes = 101,
                                                  .peak_count = 2,
                                                  .allocated_bytes = 101,
                                                  .allocated_count = 2,
                                                  .freed_bytes = 100,
                                                  .freed_count = 1}}}));
}

TEST_F(AccountingTest, EveryInstructionAndCallerIsAPlaceOfItsOwn) {
  const ScopeRef scope = begin();
  const PathId f = call(program().bottom(), "f"), g = call(program().bottom(), "g");
  program().at(f).alloc(1, 1);
  program().at(call(f, "h")).alloc(2, 2);
  program().at(call(f, "h", 8)).alloc(3, 4);
  program().at(call(g, "h")).alloc(4, 8);
  std::map<std::string, std::uint64_t> live;
  for (const auto& [stack, counters] : stacks(snapshot_of(scope))) {
    live[stack] = counters.live_bytes;
  }
  EXPECT_EQ(live,
            (std::map<std::string, std::uint64_t>{{"f", 1}, {"f/h", 2}, {"f/h+8", 4}, {"g/h", 8}}));
}

TEST_F(AccountingTest, AllocatorsOfOnePlaceAreCountedApart) {
  const ScopeRef scope = begin();
  program().at(call(program().bottom(), "f"));
  for (int i = 0; i < snapshot::kAllocatorCount; i++) {
    program().alloc(static_cast<std::uint64_t>(i), std::uint64_t{1} << i,
                    static_cast<Allocator>(i));
  }
  program().free(3);
  const auto sums = allocators(snapshot_of(scope));
  ASSERT_EQ(sums.size(), 7u);
  for (const auto& [allocator, counters] : sums) {
    const std::uint64_t bytes = std::uint64_t{1} << static_cast<int>(allocator);
    EXPECT_EQ(counters.allocated_bytes, bytes);
    EXPECT_EQ(counters.live_bytes, allocator == Allocator::kMalloc ? 0 : bytes);
    EXPECT_EQ(counters.peak_bytes, bytes);
  }
}

TEST_F(AccountingTest, ABlockOfSizeZeroIsOneBlockOfZeroBytes) {
  const ScopeRef scope = begin();
  program().alloc(1, 0).alloc(2, 0).free(1);
  EXPECT_EQ(total(snapshot_of(scope)),
            (Counters{.live_count = 1, .allocated_count = 2, .freed_count = 1}));
}

TEST_F(AccountingTest, ZeroBytesAfterThePeakAreNotInIt) {
  const ScopeRef scope = begin();
  program().alloc(1, 0).alloc(2, 10).alloc(3, 0);
  const Counters c = total(snapshot_of(scope));
  EXPECT_EQ(c.peak_bytes, 10u);
  EXPECT_EQ(c.peak_count, 2u);
  EXPECT_EQ(c.live_count, 3u);
}

// -- the peak

TEST_F(AccountingTest, OfTwoEqualPeaksTheFirstCounts) {
  const ScopeRef scope = begin();
  const PathId f = call(program().bottom(), "f"), g = call(program().bottom(), "g");
  program().at(f).alloc(1, 100).free(1).at(g).alloc(2, 60).alloc(3, 40);
  auto rows = stacks(snapshot_of(scope));
  EXPECT_EQ(rows["f"].peak_bytes, 100u);
  EXPECT_EQ(rows["f"].peak_count, 1u);
  EXPECT_EQ(rows["g"].peak_bytes, 0u);
  program().alloc(4, 1);  // one byte more is a new peak
  rows = stacks(snapshot_of(scope));
  EXPECT_EQ(rows["f"].peak_bytes, 0u);
  EXPECT_EQ(rows["g"].peak_bytes, 101u);
  EXPECT_EQ(rows["g"].peak_count, 3u);
}

TEST_F(AccountingTest, AShareAtThePeakIsWhatThePlaceHeldThen) {
  const ScopeRef scope = begin();
  const PathId f = call(program().bottom(), "f"), g = call(program().bottom(), "g"),
               h = call(program().bottom(), "h");
  program().at(f).alloc(1, 10).alloc(2, 20).at(g).alloc(3, 30).free(1).at(h).alloc(4, 100);  // 150
  program().free(4).free(2).at(f).alloc(5, 49);  // 79 in all, f: 49
  const auto rows = stacks(snapshot_of(scope));
  EXPECT_EQ(rows.at("f").peak_bytes, 20u);
  EXPECT_EQ(rows.at("f").peak_count, 1u);
  EXPECT_EQ(rows.at("f").live_bytes, 49u);
  EXPECT_EQ(rows.at("g").peak_bytes, 30u);
  EXPECT_EQ(rows.at("h").peak_bytes, 100u);
  EXPECT_EQ(total(snapshot_of(scope)).peak_bytes, 150u);
}

TEST_F(AccountingTest, OuterAndInnerScopeHaveTheirPeaksAtDifferentMoments) {
  const ScopeRef outer = begin();
  program().alloc(1, 1000).free(1).alloc(2, 10);
  const ScopeRef inner = begin();
  program().alloc(3, 300).free(3).alloc(4, 200);
  EXPECT_EQ(total(snapshot_of(outer)).peak_bytes, 1000u);
  EXPECT_EQ(total(snapshot_of(inner)).peak_bytes, 300u);
  program().alloc(5, 795);  // 1005 and 995
  EXPECT_EQ(total(snapshot_of(outer)).peak_bytes, 1005u);
  EXPECT_EQ(total(snapshot_of(outer)).peak_count, 3u);
  EXPECT_EQ(total(snapshot_of(inner)).peak_bytes, 995u);
  EXPECT_EQ(total(snapshot_of(inner)).peak_count, 2u);
}

TEST_F(AccountingTest, LookingDoesNotChangeTheNumbers) {
  const ScopeRef scope = begin();
  program().alloc(1, 100).alloc(2, 30).free(1);
  const Snapshot first = snapshot_of(scope);
  EXPECT_EQ(total(snapshot_of(scope)), total(first));
  program().alloc(3, 100);
  EXPECT_EQ(total(snapshot_of(scope)).peak_bytes, 130u);
  EXPECT_EQ(total(snapshot_of(scope)).peak_count, 2u);
}

// -- temporary

TEST_F(AccountingTest, ABlockFreedByTheVeryNextEventIsTemporary) {
  const ScopeRef scope = begin();
  program().alloc(1, 10).free(1).alloc(2, 10).alloc(3, 10).free(3).free(2);
  EXPECT_EQ(total(snapshot_of(scope)).temporary_count, 2u);
}

TEST_F(AccountingTest, WhateverComesInBetweenABlockIsNotTemporary) {
  const ScopeRef scope = begin();
  program().alloc(1, 10).free(99).free(1);                             // a foreign free
  program().alloc(1, 10).alloc(2, 10, Allocator::kPythonMem).free(1);  // another allocator
  program().alloc(3, 10).realloc(2, 4, 20).free(3);                    // a reallocation
  program().alloc(5, 10);
  suspend(scope, here(), false);
  program().alloc(6, 10);  // an event that is not recorded
  program().free(5);
  EXPECT_EQ(total(snapshot_of(scope)).temporary_count, 0u);
}

TEST_F(AccountingTest, AFailedReallocationIsNoEvent) {
  const ScopeRef scope = begin();
  program().alloc(1, 10).fail_realloc(1);
  EXPECT_EQ(total(snapshot_of(scope)).live_bytes, 10u);
  program().free(1);
  const Counters c = total(snapshot_of(scope));
  EXPECT_EQ(c.temporary_count, 1u);
  EXPECT_EQ(c.reallocated_count, 0u);
  EXPECT_EQ(c.freed_bytes, 10u);
}

TEST_F(AccountingTest, AReallocatedBlockFreedByTheNextEventIsTemporary) {
  const ScopeRef scope = begin();
  program().alloc(1, 10).realloc(1, 2, 20).free(2);
  EXPECT_EQ(total(snapshot_of(scope)).temporary_count, 1u);
}

TEST_F(AccountingTest, AnotherThreadsEventsDoNotCountAsNext) {
  WaitingThread other;
  const ScopeRef scope = begin();
  Program second(other.block());
  program().alloc(1, 10);
  second.alloc(2, 10);
  program().free(1);
  second.free(2);
  EXPECT_EQ(total(snapshot_of(scope)).temporary_count, 2u);
}

TEST_F(AccountingTest, ABlockFreedByAnotherThreadIsNotTemporary) {
  WaitingThread other;
  const ScopeRef scope = begin();
  Program second(other.block());
  program().alloc(1, 10);
  second.free(1);
  EXPECT_EQ(total(snapshot_of(scope)).temporary_count, 0u);
  EXPECT_EQ(total(snapshot_of(scope)).freed_count, 1u);
}

// Thread 1 made the latest event at that address, but the block that stands there is thread 2's.
TEST_F(AccountingTest, AnAddressReusedByAnotherThreadIsNotTemporary) {
  WaitingThread other;
  const ScopeRef scope = begin();
  Program second(other.block());
  program().alloc(1, 10);
  second.free(1).alloc(1, 10);
  program().free(1);
  EXPECT_EQ(total(snapshot_of(scope)).temporary_count, 0u);
  EXPECT_EQ(total(snapshot_of(scope)).freed_count, 2u);
}

TEST_F(AccountingTest, ATemporaryOfTheOuterScopeIsStillOneAfterTheInnerHasClosed) {
  const ScopeRef outer = begin();
  const ScopeRef inner = begin();
  program().alloc(1, 10);
  close_scope(inner);
  program().free(1);
  EXPECT_EQ(total(snapshot_of(outer)).temporary_count, 1u);
}

// Its record is taken, then another thread closes a scope, then the free is told: found by the
// storm of lanes_test.cpp, once in ten million events.
TEST_F(AccountingTest, ABlockIsTemporaryEvenIfAScopeClosesWhileItIsBeingFreed) {
  const ScopeRef outer = begin();
  const ScopeRef other = open(false);
  program().alloc(1, 10);
  const Cell cell = take(test::address(1));
  close_scope(other);
  on_free<ManualFrames>(here(), test::address(1), cell);
  EXPECT_EQ(total(snapshot_of(outer)).temporary_count, 1u);
  EXPECT_EQ(total(snapshot_of(outer)).freed_count, 1u);
}

// -- realloc

TEST_F(AccountingTest, AReallocationIsAFreeOfTheOldAndAnAllocationOfTheNewSize) {
  const ScopeRef scope = begin();
  const PathId f = call(program().bottom(), "f"), g = call(program().bottom(), "g");
  program().at(f).alloc(1, 100).at(g).realloc(1, 2, 250);
  EXPECT_EQ(
      stacks(snapshot_of(scope)),
      (Stacks{
          {"f",
           {.allocated_bytes = 100, .allocated_count = 1, .freed_bytes = 100, .freed_count = 1}},
          {"g",
           {.live_bytes = 250,
            .live_count = 1,
            .peak_bytes = 250,
            .peak_count = 1,
            .allocated_bytes = 250,
            .allocated_count = 1,
            .reallocated_count = 1}}}));
}

TEST_F(AccountingTest, OldAndNewSizeOfAReallocationAreNeverBothInThePeak) {
  const ScopeRef scope = begin();
  program().alloc(1, 100).realloc(1, 2, 101).realloc(2, 2, 40).realloc(2, 3, 100);
  const Counters c = total(snapshot_of(scope));
  EXPECT_EQ(c.peak_bytes, 101u);
  EXPECT_EQ(c.peak_count, 1u);
  EXPECT_EQ(c.allocated_bytes, 341u);
  EXPECT_EQ(c.reallocated_count, 3u);
}

TEST_F(AccountingTest, AReallocationToTheSamePlaceInMemoryIsOneToo) {
  const ScopeRef scope = begin();
  program().alloc(1, 100).realloc(1, 1, 60);
  EXPECT_EQ(total(snapshot_of(scope)), (Counters{.live_bytes = 60,
                                                 .live_count = 1,
                                                 .peak_bytes = 100,
                                                 .peak_count = 1,
                                                 .allocated_bytes = 160,
                                                 .allocated_count = 2,
                                                 .freed_bytes = 100,
                                                 .freed_count = 1,
                                                 .reallocated_count = 1}));
}

TEST_F(AccountingTest, AReallocationOfABlockFromBeforeTheScopeIsAnAllocation) {
  program().alloc(1, 100);
  const ScopeRef scope = begin();
  program().realloc(1, 2, 30);
  EXPECT_EQ(total(snapshot_of(scope)), (Counters{.live_bytes = 30,
                                                 .live_count = 1,
                                                 .peak_bytes = 30,
                                                 .peak_count = 1,
                                                 .allocated_bytes = 30,
                                                 .allocated_count = 1}));
}

TEST_F(AccountingTest, AnInnerScopeSeesAnAllocationWhereTheOuterSeesAReallocation) {
  const ScopeRef outer = begin();
  program().alloc(1, 100);
  const ScopeRef inner = begin();
  program().realloc(1, 2, 130);
  const Counters out = total(snapshot_of(outer)), in = total(snapshot_of(inner));
  EXPECT_EQ(out.reallocated_count, 1u);
  EXPECT_EQ(out.peak_bytes, 130u);
  EXPECT_EQ(out.freed_bytes, 100u);
  EXPECT_EQ(in, (Counters{.live_bytes = 130,
                          .live_count = 1,
                          .peak_bytes = 130,
                          .peak_count = 1,
                          .allocated_bytes = 130,
                          .allocated_count = 1}));
  close_scope(inner);
  EXPECT_EQ(total(snapshot_of(outer)), out);
}

TEST_F(AccountingTest, ASuspendedScopeSeesOnlyTheFreeOfAReallocation) {
  const ScopeRef outer = begin();
  const ScopeRef inner = begin();
  program().alloc(1, 100);
  suspend(inner, here(), false);
  program().realloc(1, 2, 500);
  EXPECT_EQ(total(snapshot_of(inner)), (Counters{.peak_bytes = 100,
                                                 .peak_count = 1,
                                                 .allocated_bytes = 100,
                                                 .allocated_count = 1,
                                                 .freed_bytes = 100,
                                                 .freed_count = 1}));
  EXPECT_EQ(total(snapshot_of(outer)).live_bytes, 500u);
  EXPECT_EQ(total(snapshot_of(outer)).reallocated_count, 1u);
  program().free(2);
  EXPECT_EQ(total(snapshot_of(inner)).freed_bytes, 100u);
}

TEST_F(AccountingTest, AReallocationWhileNoScopeIsActiveIsAFree) {
  const ScopeRef scope = begin();
  program().alloc(1, 100);
  suspend(scope, here(), false);
  program().realloc(1, 2, 500).free(2);
  EXPECT_EQ(total(snapshot_of(scope)), (Counters{.peak_bytes = 100,
                                                 .peak_count = 1,
                                                 .allocated_bytes = 100,
                                                 .allocated_count = 1,
                                                 .freed_bytes = 100,
                                                 .freed_count = 1}));
}

// -- blocks from outside, frees that nobody saw

TEST_F(AccountingTest, FreesOfBlocksFromOutsideCountNowhere) {
  program().alloc(1, 100);
  const ScopeRef outer = begin();
  program().free(1).free(2).alloc(3, 10);
  const ScopeRef inner = begin();
  program().free(3);
  EXPECT_TRUE(snapshot_of(inner).rows.empty());
  EXPECT_EQ(total(snapshot_of(outer)).freed_bytes, 10u);
  EXPECT_EQ(total(snapshot_of(outer)).freed_count, 1u);
}

TEST_F(AccountingTest, AnAddressHandedOutAgainMeansThatItsFreeWasNotSeen) {
  const ScopeRef scope = begin();
  program().alloc(1, 100).alloc(1, 30);
  EXPECT_EQ(total(snapshot_of(scope)), (Counters{.live_bytes = 30,
                                                 .live_count = 1,
                                                 .peak_bytes = 100,
                                                 .peak_count = 1,
                                                 .allocated_bytes = 130,
                                                 .allocated_count = 2,
                                                 .freed_bytes = 100,
                                                 .freed_count = 1}));
}

TEST_F(AccountingTest, AReallocationOntoALiveBlockEndsIt) {
  const ScopeRef scope = begin();
  program().alloc(1, 100).alloc(2, 30).realloc(1, 2, 50);
  const Counters c = total(snapshot_of(scope));
  EXPECT_EQ(c.live_bytes, 50u);
  EXPECT_EQ(c.live_count, 1u);
  EXPECT_EQ(c.freed_bytes, 130u);
  EXPECT_EQ(c.peak_bytes, 130u);
}

TEST_F(AccountingTest, AnAddressBeyondTheMapIsLostAndHarmless) {
  const ScopeRef scope = begin();
  program().alloc(std::uint64_t{1} << 42, 10).free(std::uint64_t{1} << 42).alloc(1, 5);
  const Snapshot snapshot = snapshot_of(scope);
  EXPECT_EQ(lost(snapshot, Lost::kPageMapFull), 1u);
  EXPECT_EQ(total(snapshot).allocated_bytes, 5u);
}

// -- giants: sizes that do not fit into a cell

TEST_F(AccountingTest, SizesAroundFourGibibytesAreExact) {
  const ScopeRef scope = begin();
  program().alloc(1, kGiant - 1).alloc(2, kGiant).alloc(3, 3 * kGiant + 5);
  EXPECT_EQ(total(snapshot_of(scope)).live_bytes, 5 * kGiant + 4);
  program().free(3);
  EXPECT_EQ(total(snapshot_of(scope)).live_bytes, 2 * kGiant - 1);
  program().free(2).free(1);
  const Counters c = total(snapshot_of(scope));
  EXPECT_EQ(c.live_bytes, 0u);
  EXPECT_EQ(c.live_count, 0u);
  EXPECT_EQ(c.peak_bytes, 5 * kGiant + 4);
  EXPECT_EQ(c.freed_bytes, 5 * kGiant + 4);
}

TEST_F(AccountingTest, AGiantCanBeTemporaryAndReallocated) {
  const ScopeRef scope = begin();
  program().alloc(1, kGiant).free(1).alloc(2, 10).realloc(2, 3, 2 * kGiant).realloc(3, 3, 7);
  const Counters c = total(snapshot_of(scope));
  EXPECT_EQ(c.temporary_count, 1u);
  EXPECT_EQ(c.reallocated_count, 2u);
  EXPECT_EQ(c.live_bytes, 7u);
  EXPECT_EQ(c.peak_bytes, 2 * kGiant);
}

TEST_F(AccountingTest, AGiantWhoseFreeWasNotSeenEndsWhenItsAddressComesBack) {
  const ScopeRef scope = begin();
  program().alloc(1, kGiant).alloc(1, 2 * kGiant).alloc(1, 8);
  const Counters c = total(snapshot_of(scope));
  EXPECT_EQ(c.live_bytes, 8u);
  EXPECT_EQ(c.freed_bytes, 3 * kGiant);
  EXPECT_EQ(c.freed_count, 2u);
}

TEST_F(AccountingTest, AGiantOutlivesTheInnerScope) {
  const ScopeRef outer = begin();
  const ScopeRef inner = begin();
  program().alloc(1, kGiant);
  close_scope(inner);
  program().free(1);
  EXPECT_EQ(total(snapshot_of(outer)).freed_bytes, kGiant);
  EXPECT_EQ(total(snapshot_of(outer)).live_count, 0u);
}

TEST_F(AccountingTest, AGiantThatFindsTheTableFullIsLost) {
  const ScopeRef scope = begin();
  for (std::uint64_t i = 0; i < Engine::kMaxGiants; i++) program().alloc(i, kGiant);
  program().alloc(Engine::kMaxGiants, kGiant).free(Engine::kMaxGiants);
  program().alloc(Engine::kMaxGiants + 1, 1).realloc(Engine::kMaxGiants + 1, 70'000, kGiant);
  const Snapshot snapshot = snapshot_of(scope);
  EXPECT_EQ(lost(snapshot, Lost::kPageMapFull), 2u);
  EXPECT_EQ(total(snapshot).live_count, Engine::kMaxGiants);
  EXPECT_EQ(total(snapshot).live_bytes, Engine::kMaxGiants * kGiant);
}

// -- allocations that are not the program's

TEST_F(AccountingTest, TheTracersOwnAllocationsAreNotRecorded) {
  const ScopeRef scope = begin();
  ManualFrames::own = true;
  program().alloc(1, 100);
  ManualFrames::own = false;
  program().alloc(2, 5);
  EXPECT_EQ(total(snapshot_of(scope)).allocated_bytes, 5u);
}

// The handler comes in the middle of a free, of a reallocation and of an allocation.
TEST_F(AccountingTest, ASignalHandlerThatAllocatesInTheMiddleOfAnEventIsLost) {
  const ScopeRef scope = begin();
  program().alloc(1, 100).alloc(2, 100).alloc(3, 100);
  const auto handler = [] {
    EXPECT_EQ(here().busy, 1u);
    Program().alloc(9, 5);
    EXPECT_EQ(here().busy, 1u) << "the interrupted event is still in the accounting";
  };
  ManualFrames::signal = handler;
  program().free(1);
  EXPECT_EQ(lost(snapshot_of(scope), Lost::kReentered), 1u) << "in a free";
  ManualFrames::signal = handler;
  program().realloc(2, 4, 50);
  EXPECT_EQ(lost(snapshot_of(scope), Lost::kReentered), 2u) << "in a reallocation";
  ManualFrames::signal = handler;
  program().alloc(5, 7);
  EXPECT_EQ(lost(snapshot_of(scope), Lost::kReentered), 3u) << "in an allocation";
  EXPECT_EQ(total(snapshot_of(scope)).allocated_bytes, 357u);
  EXPECT_EQ(total(snapshot_of(scope)).live_bytes, 157u);
}

TEST_F(AccountingTest, ASignalHandlerThatFreesInTheMiddleOfAnEventIsLost) {
  const ScopeRef scope = begin();
  program().alloc(1, 100).alloc(2, 10);
  ManualFrames::signal = [] { Program().free(2); };
  program().free(1);
  EXPECT_EQ(lost(snapshot_of(scope), Lost::kReentered), 1u);
  EXPECT_EQ(total(snapshot_of(scope)).freed_bytes, 100u);
}

TEST_F(AccountingTest, WhatWasLostBeforeTheScopeIsNotItsLoss) {
  const ScopeRef outer = begin();
  program().alloc(std::uint64_t{1} << 42, 10);
  const ScopeRef inner = begin();
  program().alloc(std::uint64_t{1} << 42, 10).alloc(std::uint64_t{1} << 42, 10);
  EXPECT_EQ(lost(snapshot_of(outer), Lost::kPageMapFull), 3u);
  EXPECT_EQ(lost(snapshot_of(inner), Lost::kPageMapFull), 2u);
}

TEST_F(AccountingTest, AnInterruptIsServedOnTheNextLongWayOutsideTheAccounting) {
  static int served;
  static std::uint32_t busy;
  served = 0;
  const ScopeRef scope = begin();
  engine.interrupt = [] {
    served++;
    busy = here().busy;
    engine.interrupted = false;
  };
  engine.interrupted = true;
  program().alloc(1, 10).alloc(2, 10);
  EXPECT_EQ(served, 1);
  EXPECT_EQ(busy, 0u);
  EXPECT_EQ(here().busy, 0u);
  EXPECT_EQ(total(snapshot_of(scope)).allocated_bytes, 20u);
  engine.interrupt = nullptr;
}

// -- the timeline

TEST_F(AccountingTest, TheTimelineGoesFromNothingToWhatIsLiveAndHoldsThePeak) {
  const ScopeRef scope = begin();
  for (std::uint64_t i = 0; i < 1000; i++) program().alloc(i, 10);
  for (std::uint64_t i = 0; i < 990; i++) program().free(i);
  const Snapshot snapshot = snapshot_of(scope);
  ASSERT_GE(snapshot.timeline.size(), 3u);
  EXPECT_EQ(snapshot.timeline.front().ns, 0);
  EXPECT_EQ(snapshot.timeline.front().live_bytes, 0u);
  EXPECT_EQ(snapshot.timeline.back().live_bytes, 100u);
  std::uint64_t most = 0;
  for (std::size_t i = 0; i < snapshot.timeline.size(); i++) {
    most = std::max(most, snapshot.timeline[i].live_bytes);
    EXPECT_LE(snapshot.timeline[i == 0 ? 0 : i - 1].ns, snapshot.timeline[i].ns);
  }
  EXPECT_EQ(most, 10'000u);
}

TEST_F(AccountingTest, ATimelineNeverHasMoreThan1024Points) {
  const ScopeRef scope = begin();
  for (std::uint64_t i = 0; i < 300'000; i++) program().alloc(i % 5000, 10).free(i % 5000);
  const Snapshot snapshot = snapshot_of(scope);
  EXPECT_LE(snapshot.timeline.size(), 1024u);
  EXPECT_GE(snapshot.timeline.size(), 500u);
}

TEST_F(AccountingTest, TheTracersOwnAllocationDoesNotEndTheTimeline) {
  const ScopeRef scope = begin();
  program().alloc(0, 10);
  for (std::uint64_t i = 1; i < 2000; i++) {
    ManualFrames::own = here().until_sample == 1;  // exactly where a sample is due
    program().alloc(5000, 10).free(5000);
    ManualFrames::own = false;
    program().alloc(i, 10);
  }
  EXPECT_GE(snapshot_of(scope).timeline.size(), 2000 / Engine::kFirstSampleInterval);
}

}  // namespace
}  // namespace malloc_tracer::capture
