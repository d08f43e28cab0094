// SPDX-License-Identifier: MIT
#include "memory/page_map.hpp"

#include <initializer_list>

#include "memory/danger.hpp"
#include "platform/prim.hpp"

namespace malloc_tracer::memory {

MT_NOINLINE PageMap::Cell* PageMap::find_unusual(std::uint64_t address) const noexcept {
  if (address >> kAddressBits) return nullptr;
  Cell* leaf = __atomic_load_n(&second_root_[address >> kLeafBits], __ATOMIC_ACQUIRE);
  return leaf != nullptr ? leaf + ((address >> 4) & kLeafMask) : nullptr;
}

MT_COLD PageMap::Cell* PageMap::make_leaf(std::uint64_t address) noexcept {
  if (address >> kAddressBits) return nullptr;
  // Where address space is limited the program needs it more than we: a leaf takes at most a
  // quarter of what is left.
  if (!platform::has_room(kLeafBytes * 4)) return nullptr;
  auto* leaf = static_cast<Cell*>(platform::reserve(kLeafBytes));
  if (leaf == nullptr) return nullptr;
  // Page faults are the largest cost of a cold scope: 1.88 -> 1.63 with large pages (see
  // docs/decisions/001-page-map-not-hash-table.md).
  platform::prefer_large_pages(leaf, kLeafBytes);
  Cell** root = (address & 8) != 0 ? second_root_ : root_;
  Cell* there = nullptr;
  danger(Danger::kNewLeaf);
  if (!__atomic_compare_exchange_n(&root[address >> kLeafBits], &there, leaf, false,
                                   __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    platform::release(leaf, kLeafBytes);
    leaf = there;
  }
  return leaf + ((address >> 4) & kLeafMask);
}

void PageMap::clear() noexcept {
  for (auto* root : {root_, second_root_}) {
    for (std::size_t i = 0; i < std::size_t{1} << (kAddressBits - kLeafBits); i++) {
      if (root[i] != nullptr) platform::forget(root[i], kLeafBytes);
    }
  }
}

}  // namespace malloc_tracer::memory
