// SPDX-License-Identifier: MIT
// Fork while another thread holds a lock of the engine: the child does not have that thread, and
// yet opens scopes of its own, whose numbers are right.
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "capture/engine_test.hpp"

namespace malloc_tracer::capture {
namespace {

using snapshot::Snapshot;
using test::call;
using test::EngineTest;
using test::Program;
using test::stacks;
using test::total;
using test::WaitingThread;

constexpr std::uint64_t kOfTheParent = 1;  // a block

// Calls `body` while another thread holds the lock.
template <class Body>
void while_held(memory::SpinLock& lock, Body body) {
  std::atomic<bool> held{false}, done{false};
  std::thread holder([&] {
    lock.lock();
    held = true;
    while (!done) std::this_thread::yield();
    lock.unlock();
  });
  while (!held) std::this_thread::yield();
  body();
  done = true;
  holder.join();
}

// Makes nonsense of a table while it lives.
template <class Table>
class Disorder {
 public:
  explicit Disorder(Table& table) : table_(table) {
    std::memcpy(before_, &table, sizeof table);
    std::memset(static_cast<void*>(&table), 0x5a, sizeof table);
  }
  ~Disorder() { std::memcpy(static_cast<void*>(&table_), before_, sizeof table_); }
  Disorder(const Disorder&) = delete;
  Disorder& operator=(const Disorder&) = delete;

 private:
  Table& table_;
  unsigned char before_[sizeof(Table)];
};

class ForkTest : public EngineTest {
 protected:
  void SetUp() override {
    EngineTest::SetUp();
    close_scope(open_scope(true));  // from the first scope on the engine watches forks
  }
  static void expect_right_numbers() {
    for (int round = 0; round < 3; round++) {
      const ScopeRef scope = open_scope(true);
      ASSERT_NE(scope.id, 0u);
      activate(scope, here(), {});
      Program program;
      program.free(kOfTheParent);
      program.alloc(101, 10).at(call(program.bottom(), "f")).alloc(102, 20).free(101);
      program.at(call(program.bottom(), "g")).realloc(102, 103, 40);
      const Snapshot snapshot = snapshot_of(scope);
      EXPECT_EQ(total(snapshot).live_bytes, 40);
      EXPECT_EQ(total(snapshot).allocated_bytes, 70);
      EXPECT_EQ(total(snapshot).freed_bytes, 30);
      EXPECT_EQ(stacks(snapshot).at("g").live_bytes, 40);
      EXPECT_TRUE(snapshot.lost.empty());
      program.free(103);
      close_scope(scope);
    }
  }
  // The child begins anew, and so may its own child.
  static void expect_children_work() {
    EXPECT_TRUE(in_child([] {
      expect_right_numbers();
      EXPECT_TRUE(in_child([] { expect_right_numbers(); }));
    }));
  }
};

TEST_F(ForkTest, WithoutAScope) { expect_children_work(); }

TEST_F(ForkTest, WhileTheWorldIsHeld) {
  while_held(engine.world, [] { expect_children_work(); });
}

TEST_F(ForkTest, WhileAnAccountIsBeingMade) {
  while_held(engine.intern, [] { expect_children_work(); });
}

TEST_F(ForkTest, WhileAPathIsBeingMade) {
  while_held(engine.tree.lock(), [] { expect_children_work(); });
}

// What the parent's scope has counted is not the child's, nor its child's.
TEST_F(ForkTest, WhileALockIsHeldAndAScopeIsOpen) {
  begin();
  Program program;
  program.alloc(kOfTheParent, 30).at(call(program.bottom(), "f")).alloc(2, 7).alloc(3, 5).free(3);
  for (memory::SpinLock* lock : {&engine.world, &engine.intern, &engine.tree.lock()}) {
    while_held(*lock, [] { expect_children_work(); });
  }
}

// The thread that closes the last scope has got as far as saying that none is open.
TEST_F(ForkTest, WhileTheSessionIsAboutToEnd) {
  begin();
  Program().alloc(kOfTheParent, 30);
  while_held(engine.world, [] {
    engine.open_scopes = 0;
    expect_children_work();
    engine.open_scopes = 1;
  });
}

// The other thread was in the middle of a change: the child looks at nothing that may be half done.
TEST_F(ForkTest, WhileTablesAreInDisorder) {
  begin();
  Program program;
  program.alloc(kOfTheParent, 30).at(call(program.bottom(), "f")).alloc(2, 7);
  for (memory::SpinLock* lock : {&engine.world, &engine.intern, &engine.tree.lock()}) {
    while_held(*lock, [] {
      const Disorder pool(engine.pool);
      const Disorder window(engine.windows[kFirstWindow]);
      EXPECT_TRUE(
          in_child([] { EXPECT_EQ(engine.tree.path_count(), 2u) << "this thread's bottom"; }));
      expect_children_work();
    });
  }
}

// A thread that begins is marked, but not counted yet.
TEST_F(ForkTest, WhileAThreadIsBeingRegistered) {
  WaitingThread one, other;
  while_held(engine.world, [] {
    engine.thread_count--;
    EXPECT_TRUE(in_child([] { EXPECT_EQ(engine.thread_count, 1u); }));
    engine.thread_count++;
  });
}

}  // namespace
}  // namespace malloc_tracer::capture
