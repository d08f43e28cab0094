// SPDX-License-Identifier: MIT
#include "memory/spin_lock.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "many_threads.hpp"

namespace malloc_tracer::memory {
namespace {

TEST(SpinLockTest, CanBeTakenAgainAfterItWasGivenBack) {
  SpinLock lock;
  for (int i = 0; i < 3; i++) {
    lock.lock();
    lock.unlock();
  }
  { SpinGuard guard(lock); }
  { SpinGuard guard(lock); }
}

TEST(SpinLockTest, LetsOneThreadInAtATime) {
  constexpr int kRounds = 20'000;
  SpinLock lock;
  long sum = 0;  // plain: the lock must order the accesses
  std::atomic<int> inside{0};
  std::atomic<bool> together{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kManyThreads; t++) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; i++) {
        SpinGuard guard(lock);
        if (inside.fetch_add(1) != 0) together = true;
        sum++;
        inside.fetch_sub(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(sum, long{kManyThreads} * kRounds);
  EXPECT_FALSE(together);
}

TEST(SpinLockTest, KeepsOthersOutUntilItIsGivenBack) {
  SpinLock lock;
  lock.lock();
  std::atomic<bool> entered{false};
  std::thread other([&] {
    SpinGuard guard(lock);
    entered = true;
  });
  for (int i = 0; i < 100; i++) std::this_thread::yield();
  EXPECT_FALSE(entered);
  lock.unlock();
  other.join();
  EXPECT_TRUE(entered);
}

TEST(SpinLockTest, IsFreeAfterResetWhoeverHeldIt) {
  SpinLock lock;
  lock.lock();
  lock.reset();
  lock.lock();
  lock.unlock();
}

}  // namespace
}  // namespace malloc_tracer::memory
