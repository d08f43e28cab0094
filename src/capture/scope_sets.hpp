// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>

#include "capture/account.hpp"
#include "memory/block_pool.hpp"
#include "memory/id_index.hpp"
#include "memory/reserved_array.hpp"

// Interned sets of two scopes or more that share a frame, for the markers of the call tree: one
// marker for all, however many they are. Unlike a window a set never changes its meaning, and is
// there until the tree starts over. Not thread safe; hook safe.
namespace malloc_tracer::capture {

class ScopeSets {
 public:
  static constexpr std::uint32_t kMaxSets = 1u << 20;

  bool start(std::uint32_t least) noexcept {
    return sets_.reserve(kMaxSets, least) && index_.start();
  }
  // The id of the set of `count` scopes that `fill` writes in any order; 0 if the table is full.
  template <class Fill>
  std::uint32_t id_of(std::uint32_t count, Fill fill) noexcept {
    if (top_ >= sets_.capacity()) return 0;
    auto* scopes = static_cast<ScopeId*>(pool_.allocate(count * sizeof(ScopeId)));
    if (scopes == nullptr) return 0;
    fill(scopes);
    std::sort(scopes, scopes + count);
    return intern(Set{scopes, count, hash(scopes, count)});
  }
  bool has(std::uint32_t id, ScopeId scope) const noexcept {
    const Set& set = sets_[id];
    return std::binary_search(set.scopes, set.scopes + set.count, scope);
  }
  bool worn() const noexcept { return top_ > sets_.capacity() / 2; }
  void clear() noexcept {
    for (std::uint32_t i = 1; i < top_; i++) forget(sets_[i]);
    index_.clear();
    top_ = 1;
  }

 private:
  struct Set {
    ScopeId* scopes;  // sorted
    std::uint32_t count;
    std::uint64_t hash;
  };

  static std::uint64_t hash(const ScopeId* scopes, std::uint32_t count) noexcept {
    std::uint64_t h = count;
    for (std::uint32_t i = 0; i < count; i++) h = memory::hash_pair(h, scopes[i]);
    return h;
  }
  std::uint32_t intern(Set set) noexcept {
    std::uint32_t id = index_.find(set.hash, [&](std::uint32_t i) {
      const Set& other = sets_[i];
      return other.count == set.count &&
             std::equal(set.scopes, set.scopes + set.count, other.scopes);
    });
    if (id != 0 || !index_.insert(set.hash, top_, [&](std::uint32_t i) { return sets_[i].hash; })) {
      forget(set);
      return id;
    }
    sets_[top_] = set;
    return top_++;
  }
  void forget(Set set) noexcept { pool_.deallocate(set.scopes, set.count * sizeof(ScopeId)); }

  memory::ReservedArray<Set> sets_;
  memory::IdIndex index_;
  memory::BlockPool pool_;
  std::uint32_t top_ = 1;
};

}  // namespace malloc_tracer::capture
