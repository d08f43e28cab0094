// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "capture/cpython/frame_layout.hpp"
#include "capture/stack_cache.hpp"
#include "memory/compiler.hpp"

// Barriers: why a deep, unchanged stack need not be verified frame by frame.
//
// About every five frames the next one to begin becomes a *barrier*: it gets a slot, whose
// generation goes up when that frame has returned. While the barrier lives everything below it is
// suspended in the same call and cannot have changed. A loop that calls at just that depth would
// make a barrier with each call, so code whose barriers die young has to wait, twice as long each
// time. How a frame becomes one is the family's
// (barriers_311.hpp, barriers_39.hpp); the reasons stand in
// docs/decisions/002-walk-frames-with-barriers.md.
//
// Hook safe but for install. The arena hook stays for the life of the process: barriers outlive
// scopes.
namespace malloc_tracer::capture::cpython {

inline constexpr std::uint32_t kBarrierDistance = 5;
// Allocations that a barrier must see to be worth its making: it costs about 375 instructions, and
// to verify five frames 30.
inline constexpr std::uint64_t kWorthwhile = 16;
inline constexpr std::uint32_t kSlots = 1u << 16;

struct Slab {
  char* base = nullptr;
  std::uint32_t generation[kSlots + 1] = {};  // slot 0 is "no barrier": always alive
};
extern constinit Slab slab;

// 0 if none is left. Both change the slot's generation.
std::uint32_t take_slot() noexcept;
void give_slot(std::uint32_t slot) noexcept;

// Requires the GIL. Where there can be no barriers (no memory) every frame is verified; nothing
// else changes.
void install_arena_hook() noexcept;
// To whom arenas came from before.
void free_arena(void* p, std::size_t bytes) noexcept;

// The next frame that this thread begins becomes a barrier.
void arm(StackCache& stack, PyThreadState* state) noexcept;
// It does not, after all.
void disarm(PyThreadState* state) noexcept;
// No frame of any thread of the interpreter does any more.
void disarm_all() noexcept;
// The innermost frame is frames[top]: it is far from the newest barrier, or the next is awaited.
void seek_barrier(StackCache& stack, PyThreadState* state, std::uint64_t top,
                  std::uint64_t allocations) noexcept;

extern constinit _PyStackChunk always_linked;

// Alive = the slot's generation is the one registered, and the chunk is still linked: see
// barriers_311.hpp.
MT_INLINE bool barrier_alive(std::uint32_t slot, std::uint32_t generation,
                             const void* chunk) noexcept {
  return MT_LIKELY(slab.generation[slot] == generation) &&
         MT_LIKELY(static_cast<const _PyStackChunk*>(chunk)->previous != nullptr);
}

// Book-keeping in a thread's stack cache. `register_barrier` requires that `frame` is_barrier.
void register_barrier(StackCache& stack, std::uint32_t index, const Frame* frame,
                      std::uint64_t allocations) noexcept;
void drop_dead_barriers(StackCache& stack, std::uint64_t allocations) noexcept;
void no_barrier(StackCache& stack) noexcept;

}  // namespace malloc_tracer::capture::cpython

#if PY_VERSION_HEX >= 0x030b0000
#include "capture/cpython/barriers_311.hpp"
#else
#include "capture/cpython/barriers_39.hpp"
#endif
