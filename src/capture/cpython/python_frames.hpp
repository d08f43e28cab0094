// SPDX-License-Identifier: MIT
#pragma once

#include "capture/call_tree.hpp"
#include "capture/checked.hpp"
#include "capture/cpython/barriers.hpp"
#include "capture/cpython/constructor_calls.hpp"
#include "capture/cpython/exit_events.hpp"
#include "capture/cpython/frame_layout.hpp"
#include "capture/cpython/thread_state.hpp"
#include "capture/thread.hpp"
#include "snapshot/snapshot.hpp"

// The frame source of Python programs: from the interpreter's frames to a call path. In the common
// case the stack is the one of the previous event and only has to be verified: two loads a frame
// from addresses of our own array (independent of each other), down to the newest live barrier.
// Hook safe, with or without the GIL: a thread's own frames change only while it runs Python
// itself.
namespace malloc_tracer::capture::cpython {

MT_INLINE std::uint32_t node_cache_index(std::uint64_t address, PathId parent) noexcept {
  return static_cast<std::uint32_t>((address >> 1) + parent * 41) &
         ((1u << StackCache::kNodeCacheBits) - 1);
}

// Drops what the cache knows of frames and, if code objects have died, of instructions.
void forget_stack(Thread& thread) noexcept;

MT_INLINE PathId cached_node(const StackCache& stack, PathId parent,
                             std::uint64_t address) noexcept {
  const NodeCacheEntry& entry = stack.cache[node_cache_index(address, parent)];
  return MT_LIKELY(entry.address == address && entry.parent == parent) ? entry.node : 0;
}

// The node of frames[index] at another instruction than the last one; 0 if that takes a look at the
// tree.
MT_INLINE PathId other_node(StackCache& stack, std::uint64_t index,
                            std::uint64_t address) noexcept {
  FrameEntry& frame = stack.frames[index];
  PathEntry& path = stack.paths[index];
  PathId node = MT_LIKELY(path.other_address == address) ? path.other_node
                                                         : cached_node(stack, path.parent, address);
  if (MT_UNLIKELY(node == 0)) return 0;
  path.other_address = frame.address;
  path.other_node = path.node;
  path.node = node;
  frame.address = address;
  return node;
}

// Is the cached stack, from the current frame at `top` down to the barrier, still what is in
// memory? A frame is read only after the one above was seen to link to it.
MT_INLINE bool verify(const StackCache& stack, std::uint64_t top) noexcept {
  const FrameEntry* entry = &stack.frames[top];
  const FrameEntry* barrier = &stack.frames[stack.bar];
  auto* upper = static_cast<const Frame*>(entry->frame);
  while (entry != barrier) {
    --entry;
    auto* lower = static_cast<const Frame*>(entry->frame);
    asm(""
        : "+r"(lower));  // keep the address of our array, not the link just loaded: no chain of
                         // dependent loads
    if (MT_UNLIKELY(upper->previous != lower) ||
        MT_UNLIKELY(instruction_of(lower) != entry->address))
      return false;
    upper = lower;
  }
  return MT_LIKELY(upper->previous == stack.link);
}

// The path, if the stack is the one of the previous event up to the instruction of the innermost
// frame; else 0.
MT_INLINE PathId known_path_in(Thread& thread, PyThreadState* state) noexcept {
  if (MT_UNLIKELY(state == nullptr)) return 0;
  Frame* frame = top_frame(state);
  StackCache& stack = thread.stack;
  std::uint64_t top = stack.top;
  if (MT_LIKELY(stack.frames[top].frame == frame) && MT_LIKELY(stack.thread_state == state) &&
      MT_LIKELY(stack.bar == 0 ||
                barrier_alive(stack.bar_slot, stack.bar_generation, stack.bar_chunk)) &&
      MT_LIKELY(verify(stack, top))) {
    std::uint64_t address = instruction_of(frame);
    if (MT_LIKELY(stack.frames[top].address == address)) return stack.paths[top].node;
    return other_node(stack, top, address);
  }
  return 0;
}

// The path of the calling thread, walked as far as need be.
PathId path_in(Thread& thread, PyThreadState* state) noexcept;

// In the checked build: the path by a walk from scratch.
PathId checked_path(Thread& thread, PyThreadState* state, PathId got) noexcept;

MT_INLINE PathId known_path_checked(Thread& thread, PyThreadState* state) noexcept {
  PathId path = known_path_in(thread, state);
#ifdef MALLOC_TRACER_CHECKED
  if (path != 0) path = checked_path(thread, state, path);
#endif
  return path;
}

// For the domains whose callers hold the GIL by contract.
struct AttachedFrames {
  static bool attached(Thread&) noexcept { return true; }
  MT_INLINE static PathId known_path(Thread& thread, bool) noexcept {
    return known_path_checked(thread, attached_state_nearby());
  }
  static PathId path(Thread& thread, bool) noexcept { return path_in(thread, attached_state()); }
  static void refresh(Thread& thread) noexcept { forget_stack(thread); }
  static bool ours(Thread& thread, bool, std::uint64_t bytes,
                   snapshot::Allocator allocator) noexcept {
    PyThreadState* state = attached_state();
    return is_event_bookkeeping(state, bytes, allocator) ||
           is_made_for_barrier(thread.stack, state, bytes, allocator);
  }
};

// For everything else that may be called anywhere.
struct PythonFrames {
  static bool attached(Thread&) noexcept { return is_attached(); }
  MT_INLINE static PathId known_path(Thread& thread, bool attached) noexcept {
    return known_path_checked(thread, attached ? attached_state() : own_state());
  }
  static PathId path(Thread& thread, bool attached) noexcept {
    return path_in(thread, attached ? attached_state() : own_state());
  }
  static void refresh(Thread& thread) noexcept { forget_stack(thread); }
  static bool ours(Thread&, bool, std::uint64_t, snapshot::Allocator) noexcept { return false; }
};

}  // namespace malloc_tracer::capture::cpython
