// SPDX-License-Identifier: MIT
#pragma once

#include "capture/call_tree.hpp"
#include "capture/checked.hpp"
#include "capture/cpython/barriers.hpp"
#include "capture/cpython/constructor_calls.hpp"
#include "capture/cpython/exit_events.hpp"
#include "capture/cpython/frame_layout.hpp"
#include "capture/cpython/free_threading.hpp"
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

// The thread runs `state` from now on: its cached stack, if of another, is dropped, and lane[1] is
// its interpreter's.
void meet_state(Thread& thread, PyThreadState* state) noexcept;

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

// Is the cached stack, from the frame at `entry` down to the barrier, still what is in memory? A
// frame is read only after the one above was seen to link to it.
MT_INLINE bool verify(const StackCache& stack, const FrameEntry* entry) noexcept {
  auto* upper = static_cast<const Frame*>(entry->frame);
  while (entry != stack.bar_entry) {
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

// May what is below the newest barrier be taken as unchanged? Without one there is nothing below.
MT_INLINE bool barrier_stands(const StackCache& stack) noexcept {
  return stack.bar_slot == 0 ||
         MT_LIKELY(barrier_alive(stack.bar_slot, stack.bar_generation, stack.bar_chunk));
}

// The path, if the stack is the one of the previous event up to the instruction of the innermost
// frame; else 0. Requires: `state` is the cache's.
MT_INLINE PathId known_path_of(StackCache& stack, const PyThreadState* state) noexcept {
  const FrameEntry* top = stack.top_entry;
  const Frame* frame = top_frame(state);
  if (MT_UNLIKELY(top->frame != frame) || !barrier_stands(stack) ||
      MT_UNLIKELY(!verify(stack, top)))
    return 0;
  std::uint64_t address = instruction_of(frame);
  if (MT_LIKELY(top->address == address)) return stack.top_node;
  PathId node = other_node(stack, stack.top, address);
  if (MT_LIKELY(node != 0)) stack.top_node = node;
  return node;
}
MT_INLINE PathId known_path_in(StackCache& stack, const PyThreadState* state) noexcept {
  return MT_LIKELY(stack.thread_state == state) ? known_path_of(stack, state) : 0;
}

// Is this the own frame of a scope? Rare, so everything about markers hangs on one look.
MT_INLINE bool owns_scope(const Thread& thread, const Frame* frame) noexcept {
  const Activation* activation = thread.activations.data();
  if (MT_LIKELY(thread.activation_count == 1)) return activation->frame == frame;
  for (std::uint32_t i = 0; i < thread.activation_count; i++) {
    if (activation[i].frame == frame) return true;
  }
  return false;
}

MT_INLINE void look_for_barrier(Thread& thread, std::uint64_t index, const Frame* frame) noexcept {
  if (MT_UNLIKELY(is_barrier(frame)))
    register_barrier(thread.stack, static_cast<std::uint32_t>(index), frame, thread.allocations());
}

// The walk is done: frames[top] is the innermost frame.
MT_INLINE PathId now_at(Thread& thread, PyThreadState* state, std::uint64_t top) noexcept {
  StackCache& stack = thread.stack;
  stack.set_top(top);
  if (top - stack.bar >= kBarrierDistance || MT_UNLIKELY(stack.armed))
    seek_barrier(stack, state, top, thread.allocations());
  return stack.top_node;
}

// The node of frames[index] where it is now; 0 if that takes a look at the tree.
MT_INLINE PathId node_at(StackCache& stack, std::uint64_t index, std::uint64_t address) noexcept {
  return stack.frames[index].address == address ? stack.paths[index].node
                                                : other_node(stack, index, address);
}

// What has mostly happened when the path is not known: the program has called one function more,
// and at this depth the same as the last time. Its path; 0 if it is not so.
MT_INLINE PathId path_one_call_deeper(Thread& thread, PyThreadState* state) noexcept {
  StackCache& stack = thread.stack;
  std::uint64_t index = stack.top + 1;
  if (MT_UNLIKELY(stack.thread_state != state) || MT_UNLIKELY(index >= stack.known) ||
      !barrier_stands(stack))
    return 0;
  const Frame* frame = top_frame(state);
  if (MT_UNLIKELY(frame == nullptr) || frame->previous != stack.top_entry->frame ||
      MT_UNLIKELY(owns_scope(thread, frame)) || MT_UNLIKELY(!verify(stack, stack.top_entry)))
    return 0;
  PathId parent = node_at(stack, index - 1, instruction_of(frame->previous));
  if (MT_UNLIKELY(parent == 0) || MT_UNLIKELY(stack.paths[index].parent != parent) ||
      MT_UNLIKELY(node_at(stack, index, instruction_of(frame)) == 0))
    return 0;
  stack.frames[index].frame = frame;
  if (expects_barrier(stack)) look_for_barrier(thread, index, frame);
  return now_at(thread, state, index);
}

// The path of the calling thread, walked as far as need be.
PathId walked_path(Thread& thread, PyThreadState* state) noexcept;

// In the checked build: the path by a walk from scratch.
PathId checked_path(Thread& thread, const PyThreadState* state, PathId got) noexcept;

MT_INLINE PathId checked([[maybe_unused]] Thread& thread,
                         [[maybe_unused]] const PyThreadState* state, PathId path) noexcept {
#ifdef MALLOC_TRACER_CHECKED
  if (path != 0) path = checked_path(thread, state, path);
#endif
  return path;
}

MT_INLINE PathId path_in(Thread& thread, PyThreadState* state) noexcept {
  PathId path = path_one_call_deeper(thread, state);
  return checked(thread, state, MT_LIKELY(path != 0) ? path : walked_path(thread, state));
}

// The lane of a thread that is attached, unless it holds the GIL of another interpreter.
MT_INLINE Lane* attached_lane(const Thread& thread) noexcept {
  return kFreeThreaded ? thread.lane[0] : &engine.main;
}

// For the domains whose callers hold the GIL by contract.
struct AttachedFrames {
  static bool attached(Thread&) noexcept { return true; }
  MT_INLINE static bool find_lane(Thread& thread, Lane*& lane) noexcept {
    lane = attached_lane(thread);
    return !kMayHaveOtherGil || attached_state_nearby() == thread.main_state;
  }
  static void meet(Thread& thread) noexcept { meet_state(thread, attached_state()); }
  MT_INLINE static PathId known_path(Thread& thread, bool) noexcept {
    PyThreadState* state = attached_state_nearby();
    return checked(thread, state, known_path_in(thread.stack, state));
  }
  MT_INLINE static PathId path(Thread& thread, bool) noexcept {
    return path_in(thread, attached_state());
  }
  static void refresh(Thread& thread) noexcept { forget_stack(thread); }
  static bool ours(Thread& thread, bool, std::uint64_t bytes,
                   snapshot::Allocator allocator) noexcept {
    PyThreadState* state = attached_state();
    return is_event_bookkeeping(state, bytes, allocator) ||
           is_made_for_barrier(thread.stack, state, bytes, allocator);
  }
};

// The same where the current thread state was seen to be the cache's.
struct CurrentFrames {
  MT_INLINE static PathId known_path(Thread& thread, bool) noexcept {
    auto* state = static_cast<const PyThreadState*>(thread.stack.thread_state);
    return checked(thread, state, known_path_of(thread.stack, state));
  }
};

// For everything else that may be called anywhere.
struct PythonFrames {
  static bool attached(Thread&) noexcept { return is_attached(); }
  MT_INLINE static bool find_lane(Thread& thread, Lane*& lane) noexcept {
    if (!is_attached()) {
      lane = thread.lane[0];
      return true;
    }
    lane = attached_lane(thread);
    return !kMayHaveOtherGil || attached_state() == thread.main_state;
  }
  static void meet(Thread& thread) noexcept {
    if (is_attached()) meet_state(thread, attached_state());
  }
  MT_INLINE static PathId known_path(Thread& thread, bool attached) noexcept {
    PyThreadState* state = attached ? attached_state() : own_state();
    return checked(thread, state, known_path_in(thread.stack, state));
  }
  MT_INLINE static PathId path(Thread& thread, bool attached) noexcept {
    return path_in(thread, attached ? attached_state() : own_state());
  }
  static void refresh(Thread& thread) noexcept { forget_stack(thread); }
  static bool ours(Thread&, bool, std::uint64_t, snapshot::Allocator) noexcept { return false; }
};

}  // namespace malloc_tracer::capture::cpython
