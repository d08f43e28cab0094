// SPDX-License-Identifier: MIT
// Tables are full, memory is short: the program goes on, and `lost` says what is missing.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "capture/engine_test.hpp"
#include "memory/address_space_limit.hpp"

namespace malloc_tracer::capture {
namespace {

using memory::AddressSpaceLimit;
using snapshot::Counters;
using snapshot::Snapshot;
using test::address;
using test::call;
using test::EngineTest;
using test::lost;
using test::Program;
using test::Stacks;
using test::stacks;
using test::total;
using test::WaitingThread;

constexpr std::uint64_t kNewLeaf = std::uint64_t{1} << 26;  // blocks to the next GiB of addresses

// Takes every block that a thread has left behind, so that the next thread needs a new one.
std::vector<std::unique_ptr<WaitingThread>> take_spare_threads() {
  std::size_t spare = 0;
  for (Thread* thread = engine.threads; thread != nullptr; thread = thread->next) {
    spare += !thread->in_use;
  }
  std::vector<std::unique_ptr<WaitingThread>> threads(spare);
  for (auto& thread : threads) thread = std::make_unique<WaitingThread>();
  return threads;
}

// `work(limit)` on a new thread, while the process may map only so many bytes more. False if the
// system does not enforce it. Meanwhile the calling thread does nothing that a sanitizer would
// allocate for, as it does for a thread's first wait that blocks.
template <class Work>
bool on_thread_short_of_memory(std::size_t bytes, Work work) {
  std::atomic<bool> waiting{false}, limited{false}, done{false};
  std::thread thread([&] {
    while (!waiting) std::this_thread::yield();
    AddressSpaceLimit limit(bytes);
    limited = limit.set();
    if (limited) work(limit);
    limit.lift();
    done = true;
  });
  waiting = true;
  while (!done) std::this_thread::yield();
  thread.join();
  return limited;
}

// All in forked children: full tables stay full.
class ExhaustionTest : public EngineTest {
 protected:
  static ScopeRef begin_in_child() {
    const ScopeRef scope = open_scope(true);
    activate(scope, here(), {});
    return scope;
  }
};

TEST_F(ExhaustionTest, AFullAccountTableChargesTheThread) {
  EXPECT_TRUE(in_child([] {
    engine.infos.release();
    ASSERT_TRUE(engine.infos.reserve(4, 4));  // accounts 1 to 3
    const ScopeRef scope = begin_in_child();
    Program program;
    program.alloc(1, 1);
    program.at(call(program.bottom(), "f")).alloc(2, 2);
    program.at(call(program.bottom(), "g")).alloc(3, 4);
    program.at(call(program.bottom(), "h")).alloc(4, 8).alloc(5, 16).free(4);
    const Snapshot snapshot = snapshot_of(scope);
    EXPECT_EQ(lost(snapshot, Lost::kAccountTableFull), 2u);
    const Stacks rows = stacks(snapshot);
    EXPECT_EQ(rows.at("f").live_bytes, 2u);
    EXPECT_EQ(rows.at("g").live_bytes, 4u);
    EXPECT_EQ(rows.at(""), (Counters{.live_bytes = 17,
                                     .live_count = 2,
                                     .peak_bytes = 25,
                                     .peak_count = 3,
                                     .allocated_bytes = 25,
                                     .allocated_count = 3,
                                     .freed_bytes = 8,
                                     .freed_count = 1}));
  }));
}

TEST_F(ExhaustionTest, WithoutRoomEvenForTheThreadEventsAreNotRecordedButFreesAre) {
  EXPECT_TRUE(in_child([] {
    engine.infos.release();
    ASSERT_TRUE(engine.infos.reserve(2, 2));  // account 1 only
    const ScopeRef scope = begin_in_child();
    Program program;
    const PathId f = call(program.bottom(), "f"), g = call(program.bottom(), "g");
    program.at(f).alloc(1, 10).at(g).alloc(2, 5).free(2).realloc(1, 3, 7).free(3);
    const Snapshot snapshot = snapshot_of(scope);
    EXPECT_EQ(lost(snapshot, Lost::kAccountTableFull), 2u);
    EXPECT_EQ(total(snapshot), (Counters{.peak_bytes = 10,
                                         .peak_count = 1,
                                         .allocated_bytes = 10,
                                         .allocated_count = 1,
                                         .freed_bytes = 10,
                                         .freed_count = 1}));
  }));
}

TEST_F(ExhaustionTest, AccountsOfClosedScopesMakeRoomAgain) {
  EXPECT_TRUE(in_child([] {
    engine.infos.release();
    ASSERT_TRUE(engine.infos.reserve(4, 4));
    const ScopeRef outer = open_scope(false);  // keeps the session
    Program program;
    for (std::uint64_t i = 0; i < 100; i++) {
      const ScopeRef scope = begin_in_child();
      program.at(call(program.bottom(), "f")).alloc(1, 10).free(1);
      program.at(call(program.bottom(), "g")).alloc(2, 10).free(2);
      EXPECT_EQ(total(snapshot_of(scope)).allocated_bytes, 20u);
      EXPECT_TRUE(snapshot_of(scope).lost.empty());
      close_scope(scope);
    }
    close_scope(outer);
  }));
}

TEST_F(ExhaustionTest, WithoutMemoryForThePageMapAllocationsAreNotRecorded) {
  EXPECT_TRUE(in_child([] {
    const ScopeRef scope = begin_in_child();
    Program program;
    program.alloc(1, 10).alloc(2, 20);
    AddressSpaceLimit limit(64u << 20);
    if (!limit.set()) return;
    program.alloc(kNewLeaf, 100).free(kNewLeaf).realloc(1, kNewLeaf, 100).alloc(3, 30);
    limit.lift();
    const Snapshot snapshot = snapshot_of(scope);
    EXPECT_EQ(lost(snapshot, Lost::kPageMapFull), 2u);
    EXPECT_EQ(total(snapshot).live_bytes, 50u);
    EXPECT_EQ(total(snapshot).freed_bytes, 10u);
    program.alloc(kNewLeaf, 100);
    EXPECT_EQ(total(snapshot_of(scope)).live_bytes, 150u);
  }));
}

TEST_F(ExhaustionTest, AThreadWithoutABlockGoesOnUnrecorded) {
  EXPECT_TRUE(in_child([] {
    const ScopeRef scope = begin_in_child();
    const auto others = take_spare_threads();
    const bool limited = on_thread_short_of_memory(64 * 1024, [](AddressSpaceLimit& limit) {
      Thread& block = here();
      limit.lift();
      EXPECT_EQ(&block, &no_thread);
      Program(block).alloc(1, 100).free(1).realloc(1, 4, 5);
    });
    if (!limited) return;
    Program().alloc(2, 7);
    EXPECT_EQ(lost(snapshot_of(scope), Lost::kThreadsFull), 1u);
    EXPECT_EQ(total(snapshot_of(scope)).allocated_bytes, 7u);
    WaitingThread later;  // memory is back
    Program(later.block()).alloc(3, 3);
    EXPECT_EQ(total(snapshot_of(scope)).allocated_bytes, 10u);
  }));
}

// A block of that scope is known: its free must not need what an unregistered thread lacks.
TEST_F(ExhaustionTest, AThreadWithoutABlockMayFreeARecordedBlock) {
  EXPECT_TRUE(in_child([] {
    const ScopeRef scope = begin_in_child();
    Program().alloc(1, 100);
    const auto others = take_spare_threads();
    on_thread_short_of_memory(64 * 1024, [](AddressSpaceLimit& limit) {
      Thread& block = here();
      limit.lift();
      Program(block).free(1);
    });
    EXPECT_LE(total(snapshot_of(scope)).freed_bytes, 100u);
  }));
}

// A thread that is born when address space is short has a smaller lane than the others.
TEST_F(ExhaustionTest, IdsGoNoFurtherThanTheSmallestLane) {
  EXPECT_TRUE(in_child([] {
    const ScopeRef scope = begin_in_child();
    const auto others = take_spare_threads();
    const bool limited =
        on_thread_short_of_memory(std::size_t{4} << 30, [](AddressSpaceLimit&) { here(); });
    if (!limited) return;
    EXPECT_LT(engine.account_room, Engine::kMaxAccounts);
    EXPECT_LT(engine.window_room, Engine::kMaxWindows);
    engine.each_lane([](const Lane& lane) {
      EXPECT_GE(lane.account_pages.capacity(), engine.account_room);
      EXPECT_GE(lane.size_pages.capacity(), engine.window_room);
    });
    Program program;
    program.alloc(1, 10);
    engine.account_room = engine.account_top;
    program.at(call(program.bottom(), "f")).alloc(2, 5);
    EXPECT_EQ(lost(snapshot_of(scope), Lost::kAccountTableFull), 1u);
    engine.window_room = engine.window_top;
    for (int i = 0; i < 8; i++) begin_in_child();  // some take windows that have been used before
    program.alloc(3, 1);
    EXPECT_GE(lost(snapshot_of(scope), Lost::kWindowsFull), 1u);
  }));
}

TEST_F(ExhaustionTest, AThreadThatNeverLeavesTheAccountingIsNotWaitedForForever) {
  WaitingThread stuck;
  const ScopeRef scope = begin();
  stuck.block().busy = 1;
  Program().alloc(1, 10);
  const Snapshot snapshot = snapshot_of(scope);
  stuck.block().busy = 0;
  EXPECT_EQ(lost(snapshot, Lost::kWorldNotStopped), 1u);
  EXPECT_EQ(total(snapshot).live_bytes, 10u);
}

TEST_F(ExhaustionTest, AFullPathTableStillRecordsBytes) {
  EXPECT_TRUE(in_child([] {
    const ScopeRef scope = begin_in_child();
    Program program;
    const PathId f = call(program.bottom(), "f");
    for (std::uint32_t i = 0; engine.tree.child(f, {KeyKind::kFrame, i >> 8, i & 0xff}) != 0; i++) {
    }
    EXPECT_EQ(call(f, "new", 0x1000), 0u);
    EXPECT_EQ(call(program.bottom(), "f"), f);
    program.at(f).alloc(1, 10);
    EXPECT_EQ(stacks(snapshot_of(scope)).at("f").live_bytes, 10u);
    close_scope(scope);  // worn: started over
    const ScopeRef next = begin_in_child();
    program.at(call(program.bottom(), "new")).alloc(2, 5);
    EXPECT_EQ(stacks(snapshot_of(next)).at("new").live_bytes, 5u);
  }));
}

// Runs in a process of its own that has not started the engine.
int start_with_little_address_space(std::size_t bytes) {
  AddressSpaceLimit limit(bytes);
  if (!limit.set()) return 0;
  const ScopeRef scope = open_scope(true);
  if (scope.id != 0) {
    activate(scope, here(), {});
    Program().alloc(1, 100).free(1);
    if (total(snapshot_of(scope)).freed_bytes > 100) return 1;
  }
  // The program still gets memory.
  void* mine = mmap(nullptr, bytes / 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mine == MAP_FAILED ? 2 : 0;
}

class LittleAddressSpaceTest : public testing::TestWithParam<std::size_t> {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_P(LittleAddressSpaceTest, TheProgramKeepsMostOfIt) {
  EXPECT_EXIT(_exit(start_with_little_address_space(GetParam() << 20)), testing::ExitedWithCode(0),
              "");
}

INSTANTIATE_TEST_SUITE_P(Mebibytes, LittleAddressSpaceTest,
                         testing::Values(16, 100, 1000, 4000, 10'000));

}  // namespace
}  // namespace malloc_tracer::capture
