// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "platform/prim.hpp"

namespace malloc_tracer::memory {

// An array that never moves: address space for `capacity` elements, zeroed, memory only where
// touched. Elements are plain data whose zero value is valid. Not thread safe; element access is.
// Hook safe.
template <class T>
class ReservedArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  // Reserves `capacity` elements, or fewer if address space is short (halving down to `least`);
  // false if not even that. `stagger` bytes keep page-aligned arrays from sharing cache sets: equal
  // low 12 address bits cost 2-3 ns per event.
  bool reserve(std::uint32_t capacity, std::uint32_t least, std::size_t stagger = 0) noexcept {
    for (; capacity >= least; capacity /= 2) {
      if (!leaves_enough(bytes(capacity, stagger))) continue;
      void* start = platform::reserve(bytes(capacity, stagger));
      if (start == nullptr) continue;
      data_ = reinterpret_cast<T*>(static_cast<char*>(start) + stagger);
      stagger_ = stagger;
      capacity_ = capacity;
      return true;
    }
    return false;
  }
  void release() noexcept {
    if (data_ == nullptr) return;
    platform::release(reinterpret_cast<char*>(data_) - stagger_, bytes(capacity_, stagger_));
    data_ = nullptr;
    capacity_ = 0;
  }
  // The first `count` elements become zero.
  void clear(std::uint32_t count) noexcept {
    std::size_t used = count * sizeof(T);
    if (used > kWorthForgetting) {
      platform::forget(reinterpret_cast<char*>(data_) - stagger_, used + stagger_);
    } else {
      __builtin_memset(static_cast<void*>(data_), 0, used);
    }
  }
  std::uint32_t capacity() const noexcept { return capacity_; }
  T* data() const noexcept { return data_; }
  T& operator[](std::uint32_t index) const noexcept { return data_[index]; }

 private:
  static constexpr std::size_t kWorthForgetting = 256 * 1024;
  // Where address space is limited (ulimit -v) the program needs it more than we: no array takes
  // more than 1/64 of what is left.
  static bool leaves_enough(std::size_t bytes) noexcept { return platform::has_room(bytes * 64); }
  static std::size_t bytes(std::uint32_t capacity, std::size_t stagger) {
    return capacity * sizeof(T) + stagger;
  }

  T* data_ = nullptr;
  std::size_t stagger_ = 0;
  std::uint32_t capacity_ = 0;
};

}  // namespace malloc_tracer::memory
