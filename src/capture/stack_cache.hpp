// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "memory/reserved_array.hpp"

// The stack seen at a thread's previous event, base first: an event whose stack is the same (or the
// same up to some frame) finds its path without looking anything up. Frames are opaque here;
// capture/cpython walks them.
//
//   index    0     1           bar (live barrier)     top       known
//   frames   base  f1    ...   fb         ...         f_top ...
//   paths    n0    n1          nb                     n_top ...
//
// What lies between top and `known` is from the last time the stack was that deep: a program mostly
// comes back the way it went.
namespace malloc_tracer::capture {

struct FrameEntry {
  const void* frame;
  std::uint64_t address;
};

// The path up to and with a frame. A frame often goes back and forth between two instructions (it
// allocates, it calls), so the node of the one before is kept as well.
struct PathEntry {
  std::uint32_t node;
  std::uint32_t parent;  // 0: a marker follows this frame, its node must be made the long way
  std::uint64_t other_address;  // 0: none
  std::uint32_t other_node;
};

// {instruction address, parent path} -> path; direct mapped.
struct NodeCacheEntry {
  std::uint64_t address;
  std::uint32_t parent;
  std::uint32_t node;
};

struct BarrierEntry {
  std::uint32_t index;  // position in `frames`
  std::uint32_t slot;
  std::uint32_t generation;
  std::uint32_t born;  // allocations of the thread before it, the lower half
  const void* maker;   // code that ran when it was asked for
};

// Code whose barriers have not been worth their making. Opaque, like frames.
struct ShyCode {
  const void* code;
  std::uint32_t streak;
  std::uint64_t until;  // allocations of the thread before it may ask again
};

struct StackCache {
  static constexpr std::uint32_t kMaxDepth = 1u
                                             << 17;  // deeper stacks are cut, and counted as lost
  static constexpr std::uint32_t kNodeCacheBits = 11;
  static constexpr std::uint32_t kMaxBarriers = 1u << 15;
  static constexpr std::uint32_t kShyCodes = 64;

  // What every event asks for, so that it computes no address: &frames[top], &frames[bar],
  // paths[top].node.
  const FrameEntry* top_entry = nullptr;
  const FrameEntry* bar_entry = nullptr;
  const void* link = nullptr;  // `previous` of frames[bar]: where verification ends
  // The interpreter's thread state the cache belongs to; none: this, which is no thread state.
  const void* thread_state = this;
  const void* bar_chunk = nullptr;
  std::uint32_t bar_slot = 0;
  std::uint32_t bar_generation = 0;
  std::uint32_t top_node = 0;

  std::uint64_t top = 0;    // frames[top] is the innermost; frames[0].frame == this: nothing cached
  std::uint64_t known = 0;  // entries of `paths` that still hold
  std::uint64_t bar = 0;    // index of the newest live barrier, else 0
  const void* root_link = nullptr;  // `previous` of frames[0]
  FrameEntry* frames = nullptr;
  PathEntry* paths = nullptr;
  NodeCacheEntry* cache = nullptr;
  std::uint32_t barrier_count = 0;
  bool cut = false;            // frames are missing, or were since the cache was empty
  bool armed = false;          // the next frame may make a barrier: the chunk limit is lowered
  std::uint64_t armed_at = 0;  // allocations of the thread before that
  const void* armed_by = nullptr;
  ShyCode shy[kShyCodes] = {};  // by address
  bool constructing = false;    // a barrier may be what the event at hand is for, ...
  bool arguments_made = false;  // ... see cpython/constructor_calls.hpp
  const void* stop = nullptr;   // the walk ends at this frame (the outermost scope's); nullptr: at
                                // the thread's bottom
  memory::ReservedArray<FrameEntry> frame_pages;
  memory::ReservedArray<PathEntry> path_pages;
  memory::ReservedArray<NodeCacheEntry> cache_pages;
  memory::ReservedArray<BarrierEntry> barriers;
  memory::ReservedArray<const void*> scratch;

  void set_top(std::uint64_t index) noexcept {
    top = index;
    top_entry = frames + index;
    top_node = paths[index].node;
  }
  void set_bar(std::uint64_t index) noexcept {
    bar = index;
    bar_entry = frames + index;
  }
};

}  // namespace malloc_tracer::capture
