// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "memory/reserved_array.hpp"

namespace malloc_tracer::memory {

// Open-addressing index from content to a small id; the content lives in the caller's table, the
// index stores ids only (0 = empty slot). Linear probing, backward-shift deletion, doubles at half
// load. The caller hands in the hash of a content and, for growing and erasing, a function from id
// to hash. Not thread safe; hook safe (mmap only).
class IdIndex {
 public:
  // 0 if there is none for which `equal(id)` holds.
  template <class Equal>
  std::uint32_t find(std::uint64_t hash, Equal equal) const noexcept {
    if (slots_.capacity() == 0) return 0;
    for (std::uint32_t i = home(hash);; i = (i + 1) & mask()) {
      std::uint32_t id = slots_[i];
      if (id == 0 || equal(id)) return id;
    }
  }
  // Requires: no equal content is in. False if memory is short; then nothing changed.
  template <class HashOf>
  bool insert(std::uint64_t hash, std::uint32_t id, HashOf hash_of) noexcept {
    if ((used_ + 1) * 2 > slots_.capacity() && !grow(hash_of)) return false;
    place(hash, id);
    used_++;
    return true;
  }
  // Takes the memory of the first ids now. False if there is none.
  bool start() noexcept { return slots_.reserve(kFirst, kFirst); }
  template <class HashOf>
  void erase(std::uint64_t hash, std::uint32_t id, HashOf hash_of) noexcept {
    std::uint32_t hole = home(hash);
    while (slots_[hole] != id) {
      if (slots_[hole] == 0) return;
      hole = (hole + 1) & mask();
    }
    for (std::uint32_t i = (hole + 1) & mask(); slots_[i] != 0; i = (i + 1) & mask()) {
      std::uint32_t wanted = home(hash_of(slots_[i]));
      if (((i - wanted) & mask()) < ((i - hole) & mask())) continue;  // would move before its home
      slots_[hole] = slots_[i];
      hole = i;
    }
    slots_[hole] = 0;
    used_--;
  }
  void clear() noexcept {
    if (used_ == 0) return;
    if (slots_.capacity() > kFirst) {
      slots_.release();
    } else {
      slots_.clear(slots_.capacity());
    }
    used_ = 0;
  }

 private:
  static constexpr std::uint32_t kFirst = 1024;

  std::uint32_t mask() const noexcept { return slots_.capacity() - 1; }
  std::uint32_t home(std::uint64_t hash) const noexcept {
    return static_cast<std::uint32_t>(hash >> 32) & mask();
  }
  void place(std::uint64_t hash, std::uint32_t id) noexcept {
    std::uint32_t i = home(hash);
    while (slots_[i] != 0) i = (i + 1) & mask();
    slots_[i] = id;
  }
  template <class HashOf>
  bool grow(HashOf hash_of) noexcept {
    std::uint32_t capacity = slots_.capacity() == 0 ? kFirst : slots_.capacity() * 2;
    ReservedArray<std::uint32_t> old = slots_;
    if (!slots_.reserve(capacity, capacity)) {
      slots_ = old;
      return false;
    }
    for (std::uint32_t i = 0; i < old.capacity(); i++) {
      if (old[i] != 0) place(hash_of(old[i]), old[i]);
    }
    old.release();
    return true;
  }

  ReservedArray<std::uint32_t> slots_;
  std::uint32_t used_ = 0;
};

// Mixes two numbers into a hash whose upper half is well spread (Fibonacci hashing).
inline std::uint64_t hash_pair(std::uint64_t a, std::uint64_t b) noexcept {
  std::uint64_t h = (a + b * 0xD6E8FEB86659FD93ULL) * 0x9E3779B97F4A7C15ULL;
  return h ^ (h >> 29) ^ (h << 31);
}

}  // namespace malloc_tracer::memory
