// SPDX-License-Identifier: MIT
// Delays, forks, signals and closing scopes at every danger of memory/danger.hpp that a thread
// passes in its life: from its registration over all kinds of events to its end. In builds with
// MALLOC_TRACER_DANGERS.
#ifdef MALLOC_TRACER_DANGERS
#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "capture/engine_test.hpp"
#include "memory/danger.hpp"

namespace malloc_tracer::capture {
namespace {

using memory::Danger;
using snapshot::Counters;
using snapshot::Snapshot;
using test::address;
using test::EngineTest;
using test::ManualFrames;
using test::Program;
using test::total;

// What happens to a thread at the danger that it meets after `others` more (of the kind that it
// waits for, if it does for one); once.
struct Ambush {
  int others;
  std::function<void(Danger)> act;
  std::optional<Danger> kind = {};
};
thread_local Ambush* ambush = nullptr;

void visit(Danger point) {
  if (ambush == nullptr || ambush->kind.value_or(point) != point || ambush->others-- != 0) return;
  std::exchange(ambush, nullptr)->act(point);
}

// Where a thread stands still until it is let go.
class Halt {
 public:
  void stand() {
    while (!released_) std::this_thread::yield();
  }
  void let_go() { released_ = true; }
  // While it stands: can nobody stop the world?
  bool holds_the_world() const { return holds_the_world_; }
  void look() {
    holds_the_world_ = engine.world.is_held() || (self() != &no_thread && is_in(*self()));
  }

 private:
  std::atomic<bool> released_{false}, holds_the_world_{false};
};

// What a thread does in its life: new paths and accounts, the short way, sums to hand on, a
// reallocation, one that fails, a block of more than 2 GiB, in memory that no block stood in.
class Life {
 public:
  static constexpr std::uint64_t kGiant = std::uint64_t{5} << 30, kLarge = 300'000;

  explicit Life(bool locked) : locked_(locked), first_(++lives << 24) {}

  void live(Ambush* waiting) const {
    ambush = waiting;
    ManualFrames::current = 0;
    ManualFrames::locked = locked_;
    Program program;
    // One life is like the other: no point of the timelines comes in it, wherever the last one's
    // block, which it may have, has got to.
    program.thread().until_sample += Engine::kFirstSampleInterval;
    program.thread().sample_at += Engine::kFirstSampleInterval;
    program.at(path_here(program.bottom()));
    for (const Step& step : kSteps) {
      take(step, program);
      taken_++;
    }
  }

  // What a scope counts that records all but the first steps.
  static Counters from(std::size_t first) {
    Counters c;
    std::map<int, std::uint64_t> blocks;
    auto begins = [&](int block, std::uint64_t bytes) {
      blocks[block] = bytes;
      c.allocated_count++;
      c.allocated_bytes += bytes;
    };
    auto ends = [&](int block) {
      if (blocks.count(block) == 0) return false;
      c.freed_count++;
      c.freed_bytes += blocks[block];
      blocks.erase(block);
      return true;
    };
    for (std::size_t i = first; i < kSteps.size(); i++) {
      const Step& step = kSteps[i];
      if (step.from != 0 && ends(step.from)) c.reallocated_count += step.to != 0;
      if (step.to != 0) begins(step.to, step.bytes);
    }
    c.live_count = c.allocated_count - c.freed_count;
    c.live_bytes = c.allocated_bytes - c.freed_bytes;
    return c;
  }
  std::size_t taken() const { return taken_; }
  static std::size_t steps() { return kSteps.size(); }
  std::uint64_t block(int number) const { return first_ + static_cast<std::uint64_t>(number); }

 private:
  struct Step {  // an allocation of `to`, a free of `from`, or a reallocation
    int from, to;
    std::uint64_t bytes;
  };
  inline static const std::vector<Step> kSteps = {
      {0, 1, 100}, {0, 2, 100},    {2, 0, 0}, {0, 3, kLarge}, {3, 0, 0},
      {1, 4, 50},  {0, 5, kGiant}, {5, 0, 0}, {0, 6, 100},    {0, 7, 100},
  };
  inline static std::uint64_t lives = 0;

  // As a walk of the stack does: in. Without a lock of the tests', which a child might inherit.
  PathId path_here(PathId bottom) const {
    const Busy busy(here());
    const std::uint32_t code =
        engine.tree.code_id(address(first_), [](CodeEntry&, memory::BlockPool&) {});
    return engine.tree.child(bottom, PathKey{KeyKind::kFrame, code, 0});
  }
  void take(const Step& step, Program& program) const {
    if (step.from == 0) {
      program.alloc(block(step.to), step.bytes);
    } else if (step.to == 0) {
      program.fail_realloc(block(step.from)).free(block(step.from));
    } else {
      program.realloc(block(step.from), block(step.to), step.bytes);
    }
  }

  bool locked_;
  std::uint64_t first_;
  mutable std::size_t taken_ = 0;
};

// All but what depends on when threads hand on their sums.
Counters without_peak(Counters c) {
  c.peak_bytes = 0;
  c.peak_count = 0;
  c.temporary_count = 0;
  return c;
}

// A thread that lives and is ambushed; its end is part of it, so it is asked for without waiting.
class LivingThread {
 public:
  LivingThread(const Life& life, Ambush& waiting) : life_(life), waiting_(waiting) {
    pthread_create(&thread_, nullptr, start, this);
  }
  bool has_ended() { return ended_ = ended_ || pthread_tryjoin_np(thread_, nullptr) == 0; }
  void join() {
    while (!has_ended()) std::this_thread::yield();
  }

 private:
  static void* start(void* me) {
    auto* living = static_cast<LivingThread*>(me);
    living->life_.live(&living->waiting_);
    return nullptr;
  }
  const Life& life_;
  Ambush& waiting_;
  pthread_t thread_{};
  bool ended_ = false;
};

class DangersTest : public EngineTest, public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    memory::in_danger = visit;
  }
  void TearDown() override {
    memory::in_danger = nullptr;
    EngineTest::TearDown();
  }

  // For each danger of a life: a scope, and a thread that lives in it and does `there(life, halt,
  // at)` when it meets the danger. `meanwhile(scope, halt)` begins then, and `check(scope)` when
  // the thread has ended; each may end the scope and gives the one that is open afterwards.
  template <class There, class Meanwhile, class Check>
  void at_every_danger(There there, Meanwhile meanwhile, Check check) {
    std::set<Danger> points;
    bool met = true;
    for (int others = 0; met; others++) {
      ScopeRef scope = open_and_activate();
      const Life life(GetParam());
      Halt halt;
      std::atomic<bool> reached{false};
      Danger at{};
      Ambush waiting{others, [&](Danger point) {
                       at = point;
                       halt.look();
                       reached = true;
                       there(life, halt, point);
                     }};
      LivingThread thread(life, waiting);
      while (!reached && !thread.has_ended()) std::this_thread::yield();
      met = reached;
      SCOPED_TRACE("danger " + std::to_string(static_cast<int>(at)) + " after " +
                   std::to_string(others) + " others");
      if (met) points.insert(at);
      if (met) scope = meanwhile(scope, halt);
      halt.let_go();
      thread.join();
      check(scope);
      close_scope(scope);
      expect_idle();
      ASSERT_FALSE(HasFailure());
    }
    EXPECT_EQ(points, of_a_life());
  }

  static std::set<Danger> of_a_life() {
    std::set<Danger> points = {Danger::kAllocated, Danger::kIn,         Danger::kDecided,
                               Danger::kCounted,   Danger::kRecorded,   Danger::kTaken,
                               Danger::kEntering,  Danger::kLocked,     Danger::kUnlocking,
                               Danger::kHalfMade,  Danger::kStopping,   Danger::kResumed,
                               Danger::kNewLeaf,   Danger::kRegistering};
    if (!GetParam()) points.insert(Danger::kOutToStop);
    return points;
  }
  static ScopeRef open_and_activate() {
    const ScopeRef scope = open_scope(true);
    EXPECT_NE(scope.id, 0u);
    activate(scope, here(), {});
    return scope;
  }
  static void expect_whole_life(ScopeRef scope) {
    const Snapshot snapshot = snapshot_of(scope);
    EXPECT_EQ(without_peak(total(snapshot)), Life::from(0));
    EXPECT_TRUE(snapshot.lost.empty());
  }
};

TEST_P(DangersTest, AChildForkedThereWorksAndItsParentGoesOn) {
  at_every_danger([](const Life&, Halt& halt, Danger) { halt.stand(); },
                  [](ScopeRef scope, Halt&) {
                    EXPECT_TRUE(in_child([] {
                      const ScopeRef fresh = open_and_activate();
                      Life(true).live(nullptr);
                      expect_whole_life(fresh);
                      close_scope(fresh);
                    }));
                    return scope;
                  },
                  expect_whole_life);
}

// Nobody stops the world over a thread that is in it, and nobody else is in the way.
template <class Work>
void expect_to_wait_for(Halt& halt, Work work) {
  std::atomic<bool> done{false};
  std::thread stopper([&] {
    ManualFrames::locked = false;  // the one that stands may have the lock
    work();
    done = true;
  });
  if (halt.holds_the_world()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_FALSE(done);
  } else {
    while (!done) std::this_thread::yield();
  }
  halt.let_go();
  stopper.join();
}

TEST_P(DangersTest, AnInnerScopeThatComesAndGoesThereChangesNothing) {
  at_every_danger([](const Life&, Halt& halt, Danger) { halt.stand(); },
                  [](ScopeRef scope, Halt& halt) {
                    expect_to_wait_for(halt, [] {
                      const ScopeRef inner = open_and_activate();
                      total(snapshot_of(inner));
                      close_scope(inner);
                    });
                    return scope;
                  },
                  expect_whole_life);
}

// Where a life was when a scope began.
struct Moment {
  std::size_t taken = 0;  // steps
  bool exactly = true;    // otherwise some more: nothing could begin there
  int others = 0;         // blocks of 10 bytes that another thread made and freed in the scope
};

// The step under way is in the scope or not, as a whole.
void expect_rest_of_a_life(ScopeRef scope, const Moment& from) {
  const Snapshot snapshot = snapshot_of(scope);
  const Counters counted = without_peak(total(snapshot));
  const std::size_t last = from.exactly ? from.taken + 1 : Life::steps();
  bool is_rest = false;
  for (std::size_t first = from.taken; first <= last; first++) {
    Counters rest = Life::from(first);
    for (int i = 0; i < from.others; i++) {
      rest.allocated_count++, rest.allocated_bytes += 10;
      rest.freed_count++, rest.freed_bytes += 10;
    }
    is_rest = is_rest || counted == rest;
  }
  EXPECT_TRUE(is_rest) << testing::PrintToString(counted) << " after " << from.taken << " steps";
  EXPECT_TRUE(snapshot.lost.empty());
}

TEST_P(DangersTest, AnInnerScopeThatBeginsThereHasTheRestOfTheLife) {
  ScopeRef inner;
  Moment moment;
  at_every_danger(
      [&](const Life& life, Halt& halt, Danger) {
        moment.taken = life.taken();
        halt.stand();
      },
      [&](ScopeRef scope, Halt& halt) {
        moment.exactly = !halt.holds_the_world();
        expect_to_wait_for(halt, [&] { inner = open_and_activate(); });
        return scope;
      },
      [&](ScopeRef scope) {
        expect_whole_life(scope);
        if (is_open(inner)) expect_rest_of_a_life(inner, moment);
        close_scope(inner);
      });
}

TEST_P(DangersTest, ASessionThatBeginsThereHasTheRestOfTheLife) {
  Moment moment;
  std::atomic<const Life*> living{};
  at_every_danger(
      [&](const Life& life, Halt& halt, Danger) {
        living = &life;
        moment.taken = life.taken();
        halt.stand();
      },
      [&](ScopeRef scope, Halt& halt) {
        moment.exactly = !halt.holds_the_world();
        expect_to_wait_for(halt, [&] {
          close_scope(scope);
          scope = open_and_activate();
          // Whose account may have the number of one that the thread has seen before.
          Program().alloc(living.load()->block(100), 10).free(living.load()->block(100));
          moment.others = 1;
        });
        return scope;
      },
      [&](ScopeRef scope) { expect_rest_of_a_life(scope, std::exchange(moment, {})); });
}

// Lost and counted where its thread is in; else its events are as good as all others. Only between
// the real function and our event they pass unseen, as all that a real function calls.
TEST_P(DangersTest, ASignalHandlerThatAllocatesThereIsCountedOrLost) {
  static const Life* living;
  static Danger at;
  static std::uint64_t lost_events, seen_blocks;
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) {
    const bool in = is_in(*self()), unseen = at == Danger::kAllocated;
    const PathId path = std::exchange(ManualFrames::current, 0);
    Program program;
    program.alloc(living->block(100), 10).realloc(living->block(100), living->block(101), 20);
    program.free(living->block(101));
    ManualFrames::current = path;
    lost_events = in ? 2 : 0;  // of a block that was not recorded, the free is no event
    seen_blocks = in || unseen ? 0 : 2;
  };
  sigaction(SIGUSR1, &action, &before);
  at_every_danger(
      [](const Life& life, Halt&, Danger point) {
        at = point;
        living = &life;
        raise(SIGUSR1);
      },
      [](ScopeRef scope, Halt&) { return scope; },
      [](ScopeRef scope) {
        const Snapshot snapshot = snapshot_of(scope);
        Counters expected = Life::from(0);
        expected.allocated_count += seen_blocks;
        expected.freed_count += seen_blocks;
        expected.allocated_bytes += seen_blocks * 15;
        expected.freed_bytes += seen_blocks * 15;
        expected.reallocated_count += seen_blocks / 2;
        EXPECT_EQ(without_peak(total(snapshot)), expected);
        EXPECT_EQ(test::lost(snapshot, Lost::kReentered), lost_events);
        lost_events = seen_blocks = 0;
      });
  sigaction(SIGUSR1, &before, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Lanes, DangersTest, testing::Bool(), [](const auto& locked) {
  return locked.param ? "WithTheLock" : "WithoutTheLock";
});

class OneDangerTest : public DangersTest {};
INSTANTIATE_TEST_SUITE_P(Lanes, OneDangerTest, testing::Values(false));

TEST_P(OneDangerTest, TwoThreadsThatMakeTheSameLeafBothUseIt) {
  const ScopeRef scope = begin();
  const Life life(false);
  Halt halt;
  std::atomic<bool> reached{false};
  Ambush waiting{0,
                 [&](Danger) {
                   reached = true;
                   halt.stand();
                 },
                 Danger::kNewLeaf};
  std::thread thread([&] {
    ambush = &waiting;
    ManualFrames::locked = false;
    Program().alloc(life.block(1), 10);
  });
  while (!reached) std::this_thread::yield();
  {
    // Not through the engine, which would wait for the thread.
    *page_map.make(reinterpret_cast<std::uint64_t>(address(life.block(2)))) = engine.generation;
  }
  halt.let_go();
  thread.join();
  EXPECT_EQ(take(address(life.block(2))), engine.generation);
  Program().free(life.block(1));
  EXPECT_EQ(total(snapshot_of(scope)).freed_bytes, 10u);
}

// The handler too waits, and then its events count.
TEST_P(OneDangerTest, ASignalHandlerOfAThreadThatWaitsForTheWorldIsCounted) {
  static const Life* living;
  const ScopeRef scope = begin();
  const Life life(false);
  living = &life;
  struct sigaction action {
  }, before{};
  action.sa_handler = [](int) { Program().alloc(living->block(100), 10).free(living->block(100)); };
  sigaction(SIGUSR1, &action, &before);
  std::atomic<bool> reached{false};
  Ambush waiting{0,
                 [&](Danger) {
                   reached = true;
                   raise(SIGUSR1);
                 },
                 Danger::kWaiting};
  std::atomic<bool> known{false}, stopped{false};
  std::thread thread([&] {
    here();
    known = true;
    while (!stopped) std::this_thread::yield();
    life.live(&waiting);
  });
  while (!known) std::this_thread::yield();
  {
    const WorldStop stop;
    stopped = true;
    while (!reached) std::this_thread::yield();
  }
  thread.join();
  sigaction(SIGUSR1, &before, nullptr);
  const Snapshot snapshot = snapshot_of(scope);
  EXPECT_EQ(total(snapshot).allocated_bytes, Life::from(0).allocated_bytes + 10);
  EXPECT_EQ(total(snapshot).freed_bytes, Life::from(0).freed_bytes + 10);
  EXPECT_TRUE(snapshot.lost.empty());
}

// A thread has looked whether the world runs before it was told to stop, and its lane shows a
// window after that.
TEST_P(OneDangerTest, AWindowShownWhileTheWorldStopsIsHiddenAgain) {
  begin();
  const Life life(false);
  Halt halt;
  std::atomic<bool> reached{false};
  Ambush waiting{0,
                 [&](Danger) {
                   reached = true;
                   halt.stand();
                 },
                 Danger::kEntering};
  std::thread thread([&] { life.live(&waiting); });
  while (!reached) std::this_thread::yield();
  std::thread stopper([] {
    const WorldStop stop;
    engine.each_lane([](Lane& lane) { EXPECT_EQ(WindowId{lane.run.match}, kNoRun); });
  });
  while (!engine.stopping) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(10));  // it waits for the thread
  halt.let_go();
  stopper.join();
  thread.join();
}

TEST_P(OneDangerTest, AThreadThatComesBackFromAnInterruptWaitsForTheWorld) {
  static Halt halt;
  static std::atomic<bool> interrupted, gone_on;
  static std::atomic<Danger> met;
  static Ambush after{1, [](Danger point) {  // after kIn
                        met = point;
                        gone_on = true;
                      }};
  begin();
  engine.interrupt = [] {
    engine.interrupted = false;
    interrupted = true;
    halt.stand();
    ambush = &after;
  };
  engine.interrupted = true;
  std::thread thread([] { Life(true).live(nullptr); });
  while (!interrupted) std::this_thread::yield();
  {
    const WorldStop stop;
    halt.let_go();
    while (!gone_on) std::this_thread::yield();
  }
  thread.join();
  EXPECT_EQ(met, Danger::kWaiting);
  engine.interrupt = nullptr;
}

using DangersDeathTest = EngineTest;

TEST_F(DangersDeathTest, LocksInTheWrongOrderStopTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const memory::SpinGuard tree(engine.tree.lock());
        const memory::SpinGuard intern(engine.intern);
      },
      "");
  EXPECT_DEATH(
      {
        const memory::SpinGuard world(engine.world);
        engine.world.lock();
      },
      "");
}

}  // namespace
}  // namespace malloc_tracer::capture
#endif
