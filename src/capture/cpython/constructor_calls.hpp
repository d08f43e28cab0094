// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "capture/cpython/frame_layout.hpp"
#include "capture/stack_cache.hpp"
#include "snapshot/snapshot.hpp"

// What a lowered chunk limit (see barriers.hpp) makes the interpreter allocate. From 3.13 on a call
// of a class runs `__init__` without a call in C, but not if its frame has no room: then it makes a
// tuple of the arguments first, and an array of them where there are more than four. Where the
// limit is lowered the program would not have made them, so they must not be in its numbers.
//
// They are told from the instance, which is made at the same instruction, by their size and order,
// so such an instruction must not be answered from the stack cache while the limit is lowered: the
// frame's parent is marked, and nothing is cached under a marked parent for these instructions.
// Hook safe.
namespace malloc_tracer::capture::cpython {

inline constexpr std::uint32_t kLoweredMark = 1u << 31;  // no path has a number so large

#if PY_VERSION_HEX >= 0x030e0000

// The innermost frame is frames[top] and the limit may be lowered.
void watch_constructor_calls(StackCache& stack, std::uint64_t top) noexcept;

// The limit is no longer lowered; what is above frames[top] will be looked at again.
void forget_constructor_calls(StackCache& stack, std::uint64_t top) noexcept;

// May a node be cached for the frame's instruction under this parent?
bool may_cache(const Frame* frame, std::uint32_t parent) noexcept;

// Would the program not have made this block but for the lowered limit?
bool is_made_for_barrier(StackCache& stack, PyThreadState* state, std::uint64_t bytes,
                         snapshot::Allocator allocator) noexcept;

#else

// 3.13 does not say where its value stack ends, so what is called cannot be told.
inline void watch_constructor_calls(StackCache&, std::uint64_t) noexcept {}
inline void forget_constructor_calls(StackCache&, std::uint64_t) noexcept {}
inline bool may_cache(const Frame*, std::uint32_t) noexcept { return true; }
inline bool is_made_for_barrier(StackCache&, PyThreadState*, std::uint64_t,
                                snapshot::Allocator) noexcept {
  return false;
}

#endif

}  // namespace malloc_tracer::capture::cpython
