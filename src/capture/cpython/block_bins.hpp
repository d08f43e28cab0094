// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "capture/cpython/thread_state.hpp"
#include "capture/engine.hpp"
#include "capture/events.hpp"
#include "memory/compiler.hpp"

// Freed small blocks kept for the next allocation of their size class, in place of the
// interpreter's free lists, which are off while a scope is open: every event is still seen, but
// pymalloc (about 200 instructions a pair) is not called for each. Only over pymalloc itself, only
// for whoever holds the main interpreter's GIL; emptied when recording ends. Hook safe.
namespace malloc_tracer::capture::cpython {

struct BlockBins {
  static constexpr std::size_t kLargest = 512;  // what pymalloc serves itself
  static constexpr std::int32_t kMostBlocks = 32;

  struct Bin {
    void* head;
    std::int64_t room;  // blocks that may still come
  };
  Bin bins[kLargest / 16 +
           1];  // by size in granules of 16 bytes, as pymalloc rounds; 0 is not used

  // The holder of the main GIL, as far as this thread's stack cache has seen it. An interpreter
  // with a GIL of its own has its own pymalloc, too; its thread may yet have the main lane, if it
  // is the only one.
  MT_INLINE static bool may_use(const Thread& thread) noexcept {
    return attached_state_nearby() == thread.main_state;
  }
  // If there is one, may_use() is true.
  MT_INLINE void* pop(const Thread& thread, std::size_t bytes) noexcept {
    if (MT_UNLIKELY(bytes > kLargest)) return nullptr;
    Bin& bin = bins[(bytes + 15) >> 4];
    void* block = bin.head;
    if (block == nullptr || MT_UNLIKELY(!may_use(thread))) return nullptr;
    bin.head = *static_cast<void**>(block);
    bin.room++;
    return block;
  }
  // A small block from pymalloc: only these have room up to the next 16 bytes.
  MT_INLINE static bool is_small(Cell record) noexcept {
    static_assert(memory::PageMap::kApart > kLargest);
    return static_cast<std::uint32_t>(record) - 1 < kLargest;
  }
  // False if the block must go to its allocator. Requires: may_use(), as find_lane() has seen.
  MT_INLINE bool push(void* block, Cell record) noexcept {
    if (MT_UNLIKELY(!is_small(record))) return false;
    Bin& bin = bins[(memory::PageMap::bytes(record) + 15) >> 4];
    if (bin.room <= 0) return false;
    *static_cast<void**>(block) = bin.head;
    bin.head = block;
    bin.room--;
    return true;
  }
  // Gives every kept block to `free` and takes `most` per class from now on.
  template <class Free>
  void reset(std::int32_t most, Free free) noexcept {
    for (Bin& bin : bins) {
      while (void* block = bin.head) {
        bin.head = *static_cast<void**>(block);
        free(block);
      }
      bin.room = most;
    }
  }
};

}  // namespace malloc_tracer::capture::cpython
