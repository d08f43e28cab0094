// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "memory/danger.hpp"
#include "platform/cpu.hpp"
#include "platform/prim.hpp"

namespace malloc_tracer::memory {

// Locks are taken in this order only. Two of one rank are never held together. What they guard is
// said in capture/engine.hpp; the last are those below which nothing is locked.
enum class LockRank : std::uint8_t { kWorld, kIntern, kTree, kLast };

// A lock for a bounded number of instructions inside malloc: no allocation, never held across a
// real allocator call. Not fair; gives the processor away when the holder is not running.
//
// Signal safety: a handler that comes while its own thread holds a lock would wait for ever. So a
// lock is taken only where no hook of the thread takes the same one: while the thread is in, or
// inside another hook (capture/events.hpp); `world`, where Thread::stops_world is set.
class SpinLock {
 public:
  explicit constexpr SpinLock([[maybe_unused]] LockRank rank = LockRank::kLast) noexcept
#ifdef MALLOC_TRACER_DANGERS
      : bit_(1u << static_cast<int>(rank))
#endif
  {
  }
  void lock() noexcept {
    check_order();
    for (int spins = 0; held_.exchange(true, std::memory_order_acquire);) {
      while (held_.load(std::memory_order_relaxed)) {
        if (++spins % 128 == 0) platform::yield();
        platform::relax();
      }
    }
    note_held(true);
    danger(Danger::kLocked);
  }
  void unlock() noexcept {
    danger(Danger::kUnlocking);
    note_held(false);
    held_.store(false, std::memory_order_release);
  }
  bool is_held() const noexcept { return held_.load(std::memory_order_relaxed); }
  // In a forked child the holder may not exist any more.
  void reset() noexcept {
    note_held(false);
    held_.store(false, std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> held_{false};

#ifdef MALLOC_TRACER_DANGERS
  // Stops the process where the order is broken, or a thread would wait for itself.
  void check_order() const noexcept {
    if (held_ranks >= bit_) __builtin_trap();
  }
  void note_held(bool held) noexcept { held_ranks = held ? held_ranks | bit_ : held_ranks & ~bit_; }
  std::uint32_t bit_;
  static inline constinit thread_local std::uint32_t held_ranks = 0;  // by the calling thread
#else
  void check_order() const noexcept {}
  void note_held(bool) noexcept {}
#endif
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
