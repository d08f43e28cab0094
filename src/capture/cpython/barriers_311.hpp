// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/barriers.hpp"

// From CPython 3.11 on Python frames lie in 16 KiB chunks, which come from our slab, one in each
// slot. To make a barrier the thread's chunk limit is lowered to its top, so that the next frame is
// the first of a new chunk: a frame at a slot's first word *is* a barrier. A popped chunk may wait
// in a cache of the interpreter's (3.14+, later 3.13.x): then it is unlinked (`previous` is 0), and
// its size is made too small to be reused.
namespace malloc_tracer::capture::cpython {

inline constexpr std::size_t kChunkBytes = 16384;
inline constexpr std::size_t kSlotBytes =
    kChunkBytes + 3136;  // the odd stride spreads slots over cache sets

MT_INLINE std::size_t slab_offset(const void* p) noexcept {
  return static_cast<std::size_t>(static_cast<const char*>(p) - slab.base);
}
MT_INLINE bool in_slab(const void* p) noexcept {
  return slab_offset(p) < kSlotBytes * kSlots && slab.base != nullptr;
}
MT_INLINE bool is_barrier(const Frame* frame) noexcept {
  return in_slab(frame) && slab_offset(frame) % kSlotBytes == offsetof(_PyStackChunk, data);
}
MT_INLINE std::uint32_t slot_of(const void* in_slab) noexcept {
  return static_cast<std::uint32_t>(slab_offset(in_slab) / kSlotBytes);
}
MT_INLINE _PyStackChunk* slot_chunk(std::uint32_t slot) noexcept {
  return reinterpret_cast<_PyStackChunk*>(slab.base + slot * kSlotBytes);
}
MT_INLINE const _PyStackChunk* chunk_of(std::uint32_t slot) noexcept {
  return slot != 0 ? slot_chunk(slot) : &always_linked;
}

// May the frame begun last be one? The chunk limit stays lowered until a barrier is registered. One
// whose chunk was full anyway is passed over.
MT_INLINE bool expects_barrier(const StackCache& stack) noexcept { return stack.armed; }

bool reserve_slab() noexcept;
// Memory for a chunk of the data stack; nullptr if it shall come from elsewhere.
void* take_chunk(std::size_t bytes) noexcept;
// False if it is not ours.
bool give_chunk(void* p) noexcept;
// A popped chunk that waits in the interpreter's cache is never pushed again.
inline void keep_from_reuse(std::uint32_t slot) noexcept {
  slot_chunk(slot)->size = kChunkBytes - 8;  // 8 less than any request
}

}  // namespace malloc_tracer::capture::cpython
