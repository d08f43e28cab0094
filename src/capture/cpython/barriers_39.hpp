// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/barriers.hpp"

// CPython 3.9 and 3.10 have no data stack, but evaluate every Python call through one pointer (PEP
// 523): to make a barrier it is set for one call, which takes a slot, evaluates the frame as ever
// and gives the slot back when it has returned or yielded. A frame whose C stack is thrown away (a
// greenlet dropped by another thread) stays a barrier for good: that stack holds a reference to it.
namespace malloc_tracer::capture::cpython {

// Barriers by the address of their frame. Written with the GIL; without it a thread looks only for
// its own frames, whose entries do not change meanwhile.
struct BarrierFrames {
  static constexpr std::uint32_t kBuckets = 1u << 14;
  std::uint32_t first[kBuckets];
  std::uint32_t next[kSlots + 1];  // in the bucket; 0: no more
  const Frame* frame[kSlots + 1];
};
extern constinit BarrierFrames barrier_frames;

inline std::uint32_t bucket_of(const Frame* frame) noexcept {
  auto address = reinterpret_cast<std::uint64_t>(frame);
  return static_cast<std::uint32_t>(address >> 4 ^ address >> 18) & (BarrierFrames::kBuckets - 1);
}
MT_INLINE std::uint32_t slot_of(const Frame* frame) noexcept {
  std::uint32_t slot = barrier_frames.first[bucket_of(frame)];
  while (MT_UNLIKELY(slot != 0) && barrier_frames.frame[slot] != frame)
    slot = barrier_frames.next[slot];
  return slot;
}
inline const _PyStackChunk* chunk_of(std::uint32_t) noexcept { return &always_linked; }
MT_INLINE bool is_barrier(const Frame* frame) noexcept { return slot_of(frame) != 0; }

// No longer armed when the frame begins.
MT_INLINE bool expects_barrier(const StackCache&) noexcept { return true; }

// Around the evaluation of a frame: its slot, or 0.
std::uint32_t begin_barrier(PyThreadState* state, const Frame* frame) noexcept;
void end_barrier(std::uint32_t slot) noexcept;

// What later versions do with chunks.
inline bool reserve_slab() noexcept { return true; }
inline void* take_chunk(std::size_t) noexcept { return nullptr; }
inline bool give_chunk(void*) noexcept { return false; }
inline void keep_from_reuse(std::uint32_t) noexcept {}

}  // namespace malloc_tracer::capture::cpython
