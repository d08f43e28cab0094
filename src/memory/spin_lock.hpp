// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>

#include "platform/cpu.hpp"
#include "platform/prim.hpp"

namespace malloc_tracer::memory {

// A lock for a bounded number of instructions inside malloc: no allocation, never held across a
// real allocator call. Not fair; gives the processor away when the holder is not running.
class SpinLock {
 public:
  void lock() noexcept {
    for (int spins = 0; held_.exchange(true, std::memory_order_acquire);) {
      while (held_.load(std::memory_order_relaxed)) {
        if (++spins % 128 == 0) platform::yield();
        platform::relax();
      }
    }
  }
  void unlock() noexcept { held_.store(false, std::memory_order_release); }
  bool is_held() const noexcept { return held_.load(std::memory_order_relaxed); }
  // In a forked child the holder may not exist any more.
  void reset() noexcept { held_.store(false, std::memory_order_relaxed); }

 private:
  std::atomic<bool> held_{false};
};

class SpinGuard {
 public:
  explicit SpinGuard(SpinLock& lock) noexcept : lock_(lock) { lock_.lock(); }
  ~SpinGuard() { lock_.unlock(); }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace malloc_tracer::memory
