// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "trace/text.hpp"

// Dense numbers for distinct keys, counted from 0 in the order of their first appearance: the
// builder looks up each string once and works with indices from then on. insert() returns the key's
// id, and whether it is new.
namespace malloc_tracer::trace {

using Id = std::uint32_t;

// Keys are views: the strings behind them must outlive the table.
class StringIds {
 public:
  std::pair<Id, bool> insert(std::string_view key) {
    const auto [at, is_new] = ids_.try_emplace(key, static_cast<Id>(ids_.size()));
    return {at->second, is_new};
  }

 private:
  std::unordered_map<std::string_view, Id> ids_;
};

// Pairs of numbers, in an open table at most half full: a trace has one entry for every node of the
// call tree, and a node-based std::unordered_map took half of the builder's time.
class PairIds {
 public:
  explicit PairIds(std::size_t expected_size = 8) {
    std::size_t size = 16;
    while (size < 2 * expected_size) size *= 2;
    slots_.resize(size);
  }

  std::pair<Id, bool> insert(std::uint32_t first, std::uint32_t second) {
    if (2 * (size_ + std::size_t{1}) > slots_.size()) grow();
    Slot& slot = find(std::uint64_t{first} << 32 | second);
    if (slot.id != kFree) return {slot.id, false};
    slot = {std::uint64_t{first} << 32 | second, size_++};
    return {slot.id, true};
  }

 private:
  static constexpr Id kFree = 0xffffffff;
  struct Slot {
    std::uint64_t key = 0;
    Id id = kFree;
  };

  Slot& find(std::uint64_t key) {
    std::uint64_t at = key * 0x9e3779b97f4a7c15;
    for (at ^= at >> 32;; ++at) {
      Slot& slot = slots_[at & (slots_.size() - 1)];
      if (slot.id == kFree || slot.key == key) return slot;
    }
  }

  void grow() {
    std::vector<Slot> old(2 * slots_.size());
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.id != kFree) find(slot.key) = slot;
    }
  }

  std::vector<Slot> slots_;
  Id size_ = 0;
};

// Texts by what they say. A text that is shared is hashed once, however long it is and however
// often it comes; those that came are kept, so that no other can take their address.
class TextIds {
 public:
  std::pair<Id, bool> insert(const Text& text) {
    const auto address = reinterpret_cast<std::uintptr_t>(text.str().data());
    const auto [at, is_new_address] =
        addresses_.insert(static_cast<Id>(address), static_cast<Id>(address >> 32));
    if (!is_new_address) return {seen_[at].second, false};
    const auto [id, is_new] = ids_.insert(text);
    seen_.emplace_back(text, id);
    return {id, is_new};
  }

 private:
  StringIds ids_;
  PairIds addresses_;
  std::vector<std::pair<Text, Id>> seen_;
};

}  // namespace malloc_tracer::trace
