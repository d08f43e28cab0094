// SPDX-License-Identifier: MIT
#pragma once

#include <type_traits>

#include "memory/compiler.hpp"

namespace malloc_tracer::memory {

// A number that one thread writes while others may look at it: they see an old value or a new one,
// and nothing about other memory follows from it. Costs what a plain number costs. Hook safe.
template <class T>
class Relaxed {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);

 public:
  Relaxed() = default;
  MT_INLINE constexpr Relaxed(T value) noexcept : value_(value) {}
  MT_INLINE Relaxed(const Relaxed& other) noexcept : value_(other) {}
  MT_INLINE operator T() const noexcept { return __atomic_load_n(&value_, __ATOMIC_RELAXED); }
  MT_INLINE Relaxed& operator=(T value) noexcept {
    __atomic_store_n(&value_, value, __ATOMIC_RELAXED);
    return *this;
  }
  MT_INLINE Relaxed& operator=(const Relaxed& other) noexcept { return *this = T{other}; }
  // Not one step: for the only writer.
  MT_INLINE Relaxed& operator+=(T more) noexcept { return *this = T{*this} + more; }
  MT_INLINE T operator++() noexcept {
    T next = T{*this} + 1;
    *this = next;
    return next;
  }

 private:
  T value_;
};

}  // namespace malloc_tracer::memory
