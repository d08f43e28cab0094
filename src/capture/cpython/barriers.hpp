// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "capture/cpython/frame_layout.hpp"
#include "capture/stack_cache.hpp"
#include "memory/compiler.hpp"

// Data-stack barriers: why a deep, unchanged stack need not be verified frame by frame.
//
// Python frames lie in 16 KiB chunks that come from our slab. About every kBarrierDistance frames
// the thread's chunk limit is lowered to its top, so the next frame is the first of a new chunk: a
// *barrier*. While that chunk is alive everything below is suspended in the same call and cannot
// have changed. Alive = the slot's generation is the one registered and the chunk is still linked
// (`previous` != 0: a popped chunk may wait in a cache, 3.14+ and later 3.13.x; its size is made
// too small to be reused). The reasons stand in
// docs/decisions/002-walk-frames-with-barriers.md.
//
// Hook safe but for install. The arena hook stays for the life of the process: chunks outlive
// scopes.
namespace malloc_tracer::capture::cpython {

inline constexpr std::uint32_t kBarrierDistance = 5;
inline constexpr std::size_t kChunkBytes = 16384;
inline constexpr std::size_t kSlotBytes =
    kChunkBytes + 3136;  // the odd stride spreads slots over cache sets
inline constexpr std::uint32_t kSlots = 1u << 16;

struct Slab {
  char* base = nullptr;
  std::uint32_t generation[kSlots + 1] = {};  // slot 0 is "no barrier": always alive
};
extern constinit Slab slab;

// Requires the GIL. Without a slab (no memory) every frame is verified; nothing else changes.
void install_arena_hook() noexcept;

MT_INLINE bool in_slab(const void* p) noexcept {
  return static_cast<std::size_t>(static_cast<const char*>(p) - slab.base) < kSlotBytes * kSlots &&
         slab.base != nullptr;
}
MT_INLINE bool is_first_of_slot(const Frame* frame) noexcept {
  auto offset = static_cast<std::size_t>(reinterpret_cast<const char*>(frame) - slab.base);
  return offset < kSlotBytes * kSlots && offset % kSlotBytes == offsetof(_PyStackChunk, data) &&
         slab.base != nullptr;
}
MT_INLINE _PyStackChunk* slot_chunk(std::uint32_t slot) noexcept {
  return reinterpret_cast<_PyStackChunk*>(slab.base + slot * kSlotBytes);
}
MT_INLINE bool barrier_alive(std::uint32_t slot, std::uint32_t generation,
                             const void* chunk) noexcept {
  return MT_LIKELY(slab.generation[slot] == generation) &&
         MT_LIKELY(static_cast<const _PyStackChunk*>(chunk)->previous != nullptr);
}

// Lowers the limit, so that the next frame makes a barrier.
void arm(StackCache& stack, PyThreadState* state) noexcept;
// Gives every thread of the interpreter its whole chunk back.
void disarm_all() noexcept;

// Book-keeping in a thread's stack cache. `register_barrier` requires that `frame` is the first of
// a slot.
void register_barrier(StackCache& stack, std::uint32_t index, const Frame* frame) noexcept;
void drop_dead_barriers(StackCache& stack) noexcept;
void no_barrier(StackCache& stack) noexcept;

}  // namespace malloc_tracer::capture::cpython
