// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "memory/compiler.hpp"
#include "platform/cpu.hpp"

// One 8-byte cell for every 16 bytes of address space: what we know of the block that starts there.
//
//   root[address >> 30] -> leaf[(address >> 4) & mask]
//     = generation : 8 | account : 24 | apart : 1 | size : 31
//
// Thread safety: an address belongs to one thread between the real malloc and the real free, and
// cells are written after the one and cleared before the other, so the allocator's own ordering
// makes plain accesses enough; only publishing a leaf is a compare-and-swap. Hook safe. A cell is
// valid iff cell >= generation: generations only grow, so one compare tells ours from leftovers.
namespace malloc_tracer::memory {

class PageMap {
 public:
  using Cell = std::uint64_t;
  static constexpr int kGenerationShift = 56;
  static constexpr int kAccountShift = 32;
  static constexpr std::uint32_t kAccountMask = (1u << 24) - 1;
  // Set but for the blocks of an interpreter's pool: one compare of a cell's lower half then asks
  // for a small block of the pool.
  static constexpr std::uint32_t kApart = 1u << 31;
  static constexpr std::uint64_t kMostBytes = kApart - 1;

  // The block's cell, nullptr where nothing has ever been recorded.
  MT_INLINE Cell* find(std::uint64_t address) const noexcept {
    return MT_LIKELY(is_usual(address)) ? find_usual(address) : find_unusual(address);
  }
  // The same without a call: nullptr also where find() has to be asked.
  MT_INLINE Cell* find_usual(std::uint64_t address) const noexcept {
    if (MT_UNLIKELY(!is_usual(address))) return nullptr;
    Cell* leaf = __atomic_load_n(&root_[address >> kLeafBits], __ATOMIC_ACQUIRE);
    return MT_LIKELY(leaf != nullptr) ? leaf + ((address >> 4) & kLeafMask) : nullptr;
  }
  static bool is_usual(std::uint64_t address) noexcept { return (address & kUnusual) == 0; }
  // The same, made if need be; nullptr if memory is short.
  MT_INLINE Cell* make(std::uint64_t address) noexcept {
    Cell* cell = find(address);
    return MT_LIKELY(cell != nullptr) ? cell : make_leaf(address);
  }
  // All cells read as zero again.
  void clear() noexcept;

  static std::uint32_t account(Cell cell) noexcept {
    return static_cast<std::uint32_t>(cell >> kAccountShift) & kAccountMask;
  }
  static std::uint64_t bytes(Cell cell) noexcept { return cell & kMostBytes; }

 private:
  static constexpr int kAddressBits = platform::kAddressBits, kLeafBits = 30;
  static constexpr std::uint64_t kLeafMask = (std::uint64_t{1} << (kLeafBits - 4)) - 1;
  static constexpr std::size_t kLeafBytes = (kLeafMask + 1) * sizeof(Cell);

  // Addresses no program has, and blocks of up to 8 bytes of jemalloc, tcmalloc and mimalloc, of
  // which two lie in one granule: the second has a leaf of its own. One mask for both, so that the
  // usual case pays for neither.
  static constexpr std::uint64_t kUnusual = ~((std::uint64_t{1} << kAddressBits) - 1) | 8;

  Cell* find_unusual(std::uint64_t address) const noexcept;
  Cell* make_leaf(std::uint64_t address) noexcept;

  Cell* root_[std::size_t{1} << (kAddressBits - kLeafBits)] = {};
  Cell* second_root_[std::size_t{1} << (kAddressBits - kLeafBits)] =
      {};  // of addresses 8 bytes into a granule
};

}  // namespace malloc_tracer::memory
