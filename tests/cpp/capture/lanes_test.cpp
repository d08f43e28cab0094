// SPDX-License-Identifier: MIT
// Threads without the interpreter's lock: each has a lane of its own. Counters stay exact, the peak
// is never above the truth and less than 2 * threads * 64 KiB below it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "capture/engine_test.hpp"
#include "capture/lane.hpp"
#include "capture/random_delays.hpp"
#include "many_threads.hpp"

namespace malloc_tracer::capture {
namespace {

using snapshot::Counters;
using snapshot::Snapshot;
using test::address;
using test::call;
using test::EngineTest;
using test::lost;
using test::ManualFrames;
using test::Program;
using test::Stacks;
using test::stacks;
using test::total;
using test::WaitingThread;

constexpr std::uint64_t kCredit = Lane::kMostCredit;
constexpr std::uint64_t kMiB = 1024 * 1024;

class LanesTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    other_ = std::make_unique<WaitingThread>();  // from here on no thread is alone
    ManualFrames::locked = false;
  }
  void TearDown() override {
    ManualFrames::locked = true;
    other_.reset();
    EngineTest::TearDown();
  }
  // `work` on the other thread, without the lock.
  template <class Work>
  void on_other(Work work) {
    other_->run([&] {
      ManualFrames::locked = false;
      Program program;
      work(program);
    });
  }
  WaitingThread& other() { return *other_; }

 private:
  std::unique_ptr<WaitingThread> other_;
};

TEST_F(LanesTest, EveryThreadHasItsOwnLaneAndSharesTheOneOfTheLock) {
  EXPECT_NE(here().lane[0], &engine.main);
  EXPECT_NE(other().block().lane[0], here().lane[0]);
  EXPECT_EQ(here().lane[1], &engine.main);
  EXPECT_EQ(other().block().lane[1], &engine.main);
}

TEST_F(LanesTest, AThreadThatIsAloneUsesTheMainLaneWithoutTheLock) {
  EXPECT_TRUE(in_child([] {
    // The threads of the parent are gone, and so is the lane's owner; a fresh engine starts alone.
    const ScopeRef scope = open_scope(true);
    activate(scope, here(), {});
    Program().alloc(1, 1000).free(1).alloc(2, 999);
    EXPECT_EQ(total(snapshot_of(scope)).allocated_bytes, 1999u);
    close_scope(scope);
  }));
}

// Threads of an interpreter without a GIL.
class ForeignTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    ManualFrames::foreign = true;
    ManualFrames::meet(here());
  }
  void TearDown() override {
    ManualFrames::foreign = false;
    ManualFrames::meet(here());
    EngineTest::TearDown();
  }
};

TEST_F(ForeignTest, AThreadHasTheMainLaneOnlyWhileItIsAlone) {
  for (int i = 0; i < 2; i++) {
    EXPECT_EQ(here().lane[0], &engine.main);
    EXPECT_EQ(here().lane[1], &engine.main);
    WaitingThread other;
    ManualFrames::meet(other.block());
    for (const Thread* thread : {&here(), &other.block()}) {
      EXPECT_NE(thread->lane[0], &engine.main);
      EXPECT_EQ(thread->lane[1], thread->lane[0]);
    }
  }
}

TEST_F(ForeignTest, PeaksAreExactAgainWhenTheOthersHaveEnded) {
  const ScopeRef scope = begin();
  { WaitingThread other; }
  for (std::uint64_t block = 1; block <= 3; block++) Program().alloc(block, 10).free(block);
  Program().alloc(1, 13);
  EXPECT_EQ(total(snapshot_of(scope)).peak_bytes, 13u);
}

TEST_F(LanesTest, TheLaneOfAThreadThatIsGoneIsHandedOn) {
  const std::uint32_t lanes = engine.lane_count;
  for (int i = 0; i < 20; i++) {
    WaitingThread thread;
    EXPECT_NE(thread.block().lane[0], nullptr);
  }
  EXPECT_LE(engine.lane_count, lanes + 1);
}

TEST_F(LanesTest, SmallSumsThatWereNotHandedOnAreInTheNumbers) {
  const ScopeRef scope = begin();
  Program().alloc(1, 100);
  on_other([](Program& program) { program.alloc(2, 10).free(1).alloc(3, 5).free(3); });
  EXPECT_EQ(
      total(snapshot_of(scope)),
      (Counters{.live_bytes = 10,
                .live_count = 1,
                .peak_bytes = 100,  // in truth 110: block 2 was within the other lane's credit
                .peak_count = 1,
                .allocated_bytes = 115,
                .allocated_count = 3,
                .freed_bytes = 105,
                .freed_count = 2,
                .temporary_count = 1}));
}

TEST_F(LanesTest, LargeBlocksAreHandedOnAtOnceSoTheirPeakIsExact) {
  const ScopeRef scope = begin();
  Program().alloc(1, kMiB);
  on_other([](Program& program) { program.alloc(2, 2 * kMiB).free(2); });
  Program().free(1).alloc(3, 3);
  const Counters c = total(snapshot_of(scope));
  EXPECT_EQ(c.peak_bytes, 3 * kMiB);
  EXPECT_EQ(c.peak_count, 2u);
  EXPECT_EQ(c.live_bytes, 3u);
}

TEST_F(LanesTest, AReallocationIsCountedByEveryScopeThatHeldTheOldBlock) {
  const ScopeRef outer = begin();
  Program program;
  program.alloc(1, 100).realloc(1, 1, 200);
  const ScopeRef inner = begin();
  program.realloc(1, 2, 300);
  on_other([](Program& p) { p.realloc(2, 3, 400); });
  EXPECT_EQ(total(snapshot_of(outer)).reallocated_count, 3u);
  EXPECT_EQ(total(snapshot_of(inner)).reallocated_count, 1u);
  EXPECT_EQ(total(snapshot_of(outer)).live_bytes, 400u);
  EXPECT_EQ(total(snapshot_of(inner)).allocated_bytes, 700u);
  close_scope(inner);
  EXPECT_EQ(total(snapshot_of(outer)).reallocated_count, 3u);
}

TEST_F(LanesTest, FreesAfterTheEndAreUndoneInEveryLane) {
  const ScopeRef scope = begin();
  Program program;
  program.alloc(1, 100).alloc(2, 10);
  on_other([](Program& p) { p.alloc(3, 1).free(1); });
  suspend(scope, here(), true);
  program.free(3);
  on_other([](Program& p) { p.free(2); });
  EXPECT_EQ(total(snapshot_of(scope)).live_bytes, 11u);
  EXPECT_EQ(total(snapshot_of(scope)).freed_bytes, 100u);
}

// More windows than a lane has places for sums that it has not handed on.
TEST_F(LanesTest, ManyWindowsInARowAreHandedOnInTime) {
  constexpr std::uint64_t kScopes = 60;
  std::vector<ScopeRef> scopes;
  for (std::uint64_t i = 0; i < kScopes; i++) scopes.push_back(open(false));
  Program program;
  for (std::uint64_t i = 0; i < kScopes; i++) {
    activate(scopes[i], here(), {});
    program.alloc(i, 1);
    ASSERT_LE(here().lane[0]->pending_count, Lane::kPending) << "after " << i + 1 << " windows";
  }
  for (std::uint64_t i = 0; i < kScopes; i++) {
    EXPECT_EQ(total(snapshot_of(scopes[i])).live_bytes, kScopes - i);
  }
}

TEST_F(LanesTest, ManyWindowsOfFreesAreHandedOnInTime) {
  constexpr std::uint64_t kScopes = 60;
  std::vector<ScopeRef> scopes;
  Program program;
  for (std::uint64_t i = 0; i < kScopes; i++) {
    scopes.push_back(begin(false));
    program.alloc(i, 1);
  }
  for (std::uint64_t i = 0; i < kScopes; i++) {
    program.free(i);
    ASSERT_LE(here().lane[0]->pending_count, Lane::kPending) << "after " << i + 1 << " windows";
  }
  for (const ScopeRef scope : scopes) EXPECT_EQ(total(snapshot_of(scope)).live_bytes, 0u);
}

// A sum that waits while the thread works in another window is handed on when it has grown too far.
TEST_F(LanesTest, SumsOfAlternatingWindowsKeepThePeakWithinTheBound) {
  const ScopeRef outer = begin();
  const ScopeRef inner = open(false);
  Program program;
  const std::uint64_t bytes = 1000, blocks = 2000;
  for (std::uint64_t i = 0; i < blocks; i++) {
    if (i % 2 == 0) {
      activate(inner, here(), {});
    } else {
      suspend(inner, here(), false);
    }
    program.alloc(i, bytes);
  }
  for (std::uint64_t i = 0; i < blocks; i++) program.free(i);
  const Counters c = total(snapshot_of(outer));
  EXPECT_EQ(c.freed_bytes, bytes * blocks);
  EXPECT_LE(c.peak_bytes, bytes * blocks);
  EXPECT_GE(c.peak_bytes + 2 * 2 * kCredit, bytes * blocks);
}

// A thread that lets go of the lock uses accounts in its own lane that it has made in the main one,
// and the other way round; their shares at the peak must be kept in both.
TEST_F(LanesTest, APlaceUsedWithAndWithoutTheLockKeepsItsShareOfThePeak) {
  for (const bool first_locked : {true, false}) {
    const ScopeRef scope = begin();
    Program program;
    const PathId f = call(program.bottom(), "f"), g = call(program.bottom(), "g");
    ManualFrames::locked = first_locked;
    program.at(f).alloc(1, 1);  // makes the account
    ManualFrames::locked = !first_locked;
    program.at(g).alloc(2, kMiB);      // the lane's window is the same
    program.at(f).alloc(3, 8 * kMiB);  // the account is new to this lane
    program.at(g).alloc(4, kMiB);      // the peak: 10 MiB + 1
    program.free(3).free(2).free(4);
    const Snapshot snapshot = snapshot_of(scope);
    EXPECT_GE(total(snapshot).peak_bytes, 10 * kMiB + 1 - 2 * 2 * kCredit)
        << "made with the lock: " << first_locked;
    EXPECT_LE(total(snapshot).peak_bytes, 10 * kMiB + 1);
    EXPECT_GE(stacks(snapshot).at("f").peak_bytes, 8 * kMiB);
    close_scope(scope);
  }
}

// -- real threads, at once

// What one thread knows of its own events, by place.
using Sums = std::map<std::string, Counters>;

struct Block {
  std::uint64_t number, bytes;
  int place;
};

// Blocks that wait for any thread to free or move them.
class Exchange {
 public:
  // Puts `block` in and takes out what was there.
  Block swap(std::size_t slot, const Block& block) {
    const std::lock_guard guard(mutex_[slot % kMutexes]);
    return std::exchange(slots_[slot], block);
  }
  static constexpr std::size_t kSlots = 512;

 private:
  static constexpr std::size_t kMutexes = 64;
  std::mutex mutex_[kMutexes];
  std::array<Block, kSlots> slots_{};  // number 0: nobody
};

// Upper and lower bound of the bytes that the engine saw live at once.
class TrueLive {
 public:
  void grow_above(std::uint64_t bytes) { raise(above_most_, above_ += bytes); }
  void shrink_above(std::uint64_t bytes) { above_ -= bytes; }
  void grow_below(std::uint64_t bytes) { raise(below_most_, below_ += bytes); }
  void shrink_below(std::uint64_t bytes) { below_ -= bytes; }
  std::uint64_t at_most() const { return above_most_; }
  std::uint64_t at_least() const { return below_most_; }

 private:
  static void raise(std::atomic<std::uint64_t>& most, std::uint64_t value) {
    std::uint64_t seen = most;
    while (seen < value && !most.compare_exchange_weak(seen, value)) {
    }
  }
  std::atomic<std::uint64_t> above_{0}, above_most_{0}, below_{0}, below_most_{0};
};

// The interpreter's lock: threads run without it, or take it now and then and use the main lane
// under it, or there is none to take (free-threaded builds).
enum class Lock { kNever, kNowAndThen, kNoneExists };

class Storm {
 public:
  static constexpr int kPlaces = 8;
  static constexpr std::uint64_t kBlocksPerThread = 1u << 16;

  Storm(std::uint64_t seed, Lock lock)
      : seed_(seed), with_lock_(lock == Lock::kNowAndThen), attached_(lock == Lock::kNoneExists) {}

  static std::string place_name(int place) { return "p" + std::to_string(place); }

  void run(int thread, std::uint64_t steps) {
    std::mt19937_64 random(seed_ * 100 + static_cast<std::uint64_t>(thread));
    Program program;
    std::array<PathId, kPlaces> paths;
    for (int p = 0; p < kPlaces; p++) {
      paths[static_cast<std::size_t>(p)] = call(program.bottom(), place_name(p));
    }
    std::array<Counters, kPlaces> sums{};
    std::uint64_t next = 0;
    const ScopeRef inner = open_scope(false);
    for (std::uint64_t step = 0; step < steps; step++) {
      std::unique_lock lock(lock_, std::defer_lock);
      if (with_lock_ && random() % 2 == 0) lock.lock();
      ManualFrames::locked = lock.owns_lock() || attached_;
      // A window of its own now and then.
      if (random() % 64 == 0) {
        activate(inner, here(), {});
      } else if (random() % 32 == 0) {
        suspend(inner, here(), random() % 2 == 0);
      }
      const auto place = static_cast<int>(random() % kPlaces);
      const std::uint64_t bytes = random() % 16 == 0 ? random() % 40'000 : random() % 256;
      const Block fresh{
          1 + static_cast<std::uint64_t>(thread) * kBlocksPerThread + next++ % kBlocksPerThread,
          bytes, place};
      program.at(paths[static_cast<std::size_t>(place)]);
      auto& mine = sums[static_cast<std::size_t>(place)];
      switch (random() % 4) {
        case 0:  // a temporary
          allocate(program, fresh, mine);
          release(program, fresh, sums);
          mine.temporary_count++;
          break;
        case 1: {
          const Block old = exchange_.swap(random() % Exchange::kSlots, {});
          if (old.number == 0 || !in_use(fresh)) break;
          live_.grow_above(fresh.bytes);
          program.realloc(old.number, fresh.number, fresh.bytes);
          live_.shrink_above(old.bytes);
          count_free(old, sums);
          count_alloc(fresh, mine);
          mine.reallocated_count++;
          below_of_realloc(old, fresh);
          give(program, random() % Exchange::kSlots, fresh, sums);
          break;
        }
        default:
          if (!in_use(fresh)) break;
          allocate(program, fresh, mine);
          give(program, random() % Exchange::kSlots, fresh, sums);
          break;
      }
    }
    ManualFrames::locked = true;
    close_scope(inner);
    const std::lock_guard guard(sums_mutex_);
    for (int p = 0; p < kPlaces; p++) {
      sums_[place_name(p)] += sums[static_cast<std::size_t>(p)];
    }
  }

  // Scopes of all threads come and go meanwhile.
  void disturb(const std::atomic<bool>& done) {
    std::mt19937_64 random(seed_);
    std::vector<ScopeRef> scopes;
    while (!done) {
      if (scopes.size() < 6 && random() % 2 == 0) {
        scopes.push_back(open_scope(random() % 2 == 0));
        activate(scopes.back(), here(), {});
      } else if (!scopes.empty()) {
        const std::size_t i = random() % scopes.size();
        const Counters c = total(snapshot_of(scopes[i]));
        EXPECT_EQ(c.live_bytes, c.allocated_bytes - c.freed_bytes);
        EXPECT_LE(c.live_bytes, c.peak_bytes);
        EXPECT_LE(c.peak_bytes, c.allocated_bytes);
        EXPECT_LE(c.temporary_count, c.freed_count);
        switch (random() % 4) {
          case 0:
            suspend(scopes[i], here(), random() % 2 == 0);
            break;
          case 1:
            scopes[i] = reset_scope(scopes[i]);
            break;
          default:
            close_scope(scopes[i]);
            scopes.erase(scopes.begin() + static_cast<std::ptrdiff_t>(i));
        }
      }
      std::this_thread::yield();
    }
    for (ScopeRef scope : scopes) close_scope(scope);
  }

  void expect_sums(const Snapshot& snapshot) {
    EXPECT_TRUE(snapshot.lost.empty());
    Stacks rows = stacks(snapshot);
    const std::uint64_t peak = total(snapshot).peak_bytes;
    for (auto& [place, expected] : sums_) {
      expected.live_bytes = expected.allocated_bytes - expected.freed_bytes;
      expected.live_count = expected.allocated_count - expected.freed_count;
      Counters row = rows[place];
      EXPECT_LE(row.peak_bytes, row.allocated_bytes);
      EXPECT_LE(row.peak_count, row.allocated_count);
      row.peak_bytes = row.peak_count = 0;
      EXPECT_EQ(row, expected) << place;
    }
    EXPECT_EQ(rows.size(), sums_.size());
    EXPECT_GE(peak, total(snapshot).live_bytes);
    // With the main lane at work the others learn late of its maxima: then the share they save may
    // be a later one.
    const std::uint64_t credit = 2 * static_cast<std::uint64_t>(kManyThreads) * kCredit;
    EXPECT_LE(peak, live_.at_most() + (with_lock_ ? credit : 0));
    EXPECT_GE(peak + credit, live_.at_least());
  }

 private:
  // A block's number comes round again: whoever has it must have freed it.
  bool in_use(const Block& fresh) {
    std::atomic<bool>& used = used_[fresh.number];
    return !used.exchange(true);
  }
  void allocate(Program& program, const Block& block, Counters& mine) {
    used_[block.number] = true;
    live_.grow_above(block.bytes);
    program.alloc(block.number, block.bytes);
    live_.grow_below(block.bytes);
    count_alloc(block, mine);
  }
  void release(Program& program, const Block& block, std::array<Counters, kPlaces>& sums) {
    live_.shrink_below(block.bytes);
    program.free(block.number);
    live_.shrink_above(block.bytes);
    count_free(block, sums);
    used_[block.number] = false;
  }
  void below_of_realloc(const Block& old, const Block& fresh) {
    live_.shrink_below(old.bytes);
    live_.grow_below(fresh.bytes);
    used_[old.number] = false;
  }
  void give(Program& program, std::size_t slot, const Block& block,
            std::array<Counters, kPlaces>& sums) {
    const Block old = exchange_.swap(slot, block);
    if (old.number != 0) release(program, old, sums);
  }
  static void count_alloc(const Block& block, Counters& mine) {
    mine.allocated_bytes += block.bytes;
    mine.allocated_count++;
  }
  static void count_free(const Block& block, std::array<Counters, kPlaces>& sums) {
    sums[static_cast<std::size_t>(block.place)].freed_bytes += block.bytes;
    sums[static_cast<std::size_t>(block.place)].freed_count++;
  }

  std::uint64_t seed_;
  bool with_lock_, attached_;
  std::mutex lock_;  // the interpreter's
  Exchange exchange_;
  TrueLive live_;
  std::vector<std::atomic<bool>> used_ = std::vector<std::atomic<bool>>(
      static_cast<std::uint64_t>(kManyThreads) * kBlocksPerThread + 1);
  std::mutex sums_mutex_;
  Sums sums_;
};

class StormTest : public LanesTest {
 protected:
  void TearDown() override {
    ManualFrames::foreign = false;
    ManualFrames::meet(here());
    LanesTest::TearDown();
  }
  void storm(Lock lock) {
    ManualFrames::foreign = lock == Lock::kNoneExists;
    const char* soak = std::getenv("MALLOC_TRACER_FUZZ_SECONDS");
    const auto end = std::chrono::steady_clock::now() +
                     std::chrono::seconds(soak != nullptr ? std::atoi(soak) : 1);
    std::uint64_t seed = 1;
    do {
      const test::RandomDelays delays(seed);
      const ScopeRef scope = begin();
      auto storm = std::make_unique<Storm>(seed, lock);
      std::atomic<bool> done{false};
      std::thread disturber([&] { storm->disturb(done); });
      std::vector<std::thread> threads;
      for (int t = 0; t < kManyThreads; t++) {
        threads.emplace_back([&, t] { storm->run(t, 20'000); });
      }
      for (std::thread& thread : threads) thread.join();
      done = true;
      disturber.join();
      storm->expect_sums(snapshot_of(scope));
      close_scope(scope);
      expect_idle();
      ASSERT_FALSE(HasFailure()) << "seed " << seed;
      seed++;
    } while (std::chrono::steady_clock::now() < end);
  }
};

TEST_F(StormTest, ThreadsWithoutTheLockLoseNothing) { storm(Lock::kNever); }

TEST_F(StormTest, ThreadsThatTakeAndLeaveTheLockLoseNothing) { storm(Lock::kNowAndThen); }

TEST_F(StormTest, ThreadsOfAFreeThreadedInterpreterLoseNothing) { storm(Lock::kNoneExists); }

}  // namespace
}  // namespace malloc_tracer::capture
