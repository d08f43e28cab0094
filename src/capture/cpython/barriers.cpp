// SPDX-License-Identifier: MIT
#include "capture/cpython/barriers.hpp"

#include <algorithm>

#include "capture/cpython/constructor_calls.hpp"
#include "capture/cpython/free_lists.hpp"
#include "capture/world.hpp"
#include "memory/spin_lock.hpp"
#include "platform/prim.hpp"

namespace malloc_tracer::capture::cpython {

constinit Slab slab;
constinit _PyStackChunk always_linked = {&always_linked, 0, 0, {}};

namespace {

memory::SpinLock slot_lock;
std::uint32_t next_free[kSlots];
std::uint32_t free_head = 0, used = 1;
PyObjectArenaAllocator original_arena;

// Arenas and chunks are mapped memory below the objects in them: not events of their own.
void* arena_alloc(void*, std::size_t bytes) {
  disable_free_lists_of_new_thread();
  if (void* chunk = take_chunk(bytes)) return chunk;
  Thread& thread = here();
  thread.inside++;
  void* arena = original_arena.alloc(original_arena.ctx, bytes);
  thread.inside--;
  return arena;
}

void arena_free(void*, void* p, std::size_t bytes) {
  if (!give_chunk(p)) free_arena(p, bytes);
}

void after_fork_in_child() { slot_lock.reset(); }

void set_barrier(StackCache& stack, std::uint32_t index, std::uint32_t slot) noexcept {
  stack.set_bar(index);
  stack.bar_slot = slot;
  stack.bar_generation = slab.generation[slot];
  stack.bar_chunk = chunk_of(slot);
  // Only a live barrier's frame may be read: frames[0] may be unmapped.
  stack.link =
      slot != 0 ? static_cast<const Frame*>(stack.frames[index].frame)->previous : stack.root_link;
}

ShyCode& shy_code(StackCache& stack, const void* code) noexcept {
  return stack.shy[(reinterpret_cast<std::uint64_t>(code) >> 5) % StackCache::kShyCodes];
}

// A barrier that `maker` asked for has come to its end, or never came.
void judge(StackCache& stack, const void* maker, bool worthwhile, std::uint64_t now) noexcept {
  constexpr std::uint32_t kLongest = 10;
  ShyCode& shy = shy_code(stack, maker);
  if (worthwhile) {
    if (shy.code == maker) shy = ShyCode{};
    return;
  }
  if (shy.code != maker) shy = ShyCode{maker, 0, 0};
  shy.streak = std::min(shy.streak + 1, kLongest);
  shy.until = now + (kWorthwhile << shy.streak);
}

void no_longer_armed(StackCache& stack, std::uint64_t top) noexcept {
  stack.armed = false;
  forget_constructor_calls(stack, top);
}

}  // namespace

std::uint32_t take_slot() noexcept {
  memory::SpinGuard guard(slot_lock);
  std::uint32_t slot = free_head;
  if (slot != 0) {
    free_head = next_free[slot];
  } else if (used < kSlots) {
    slot = used++;
  }
  if (slot != 0) slab.generation[slot]++;
  return slot;
}

void give_slot(std::uint32_t slot) noexcept {
  memory::SpinGuard guard(slot_lock);
  slab.generation[slot]++;
  next_free[slot] = free_head;
  free_head = slot;
}

void install_arena_hook() noexcept {
  if (!reserve_slab()) return;
  platform::at_fork(after_fork_in_child);
  PyObject_GetArenaAllocator(&original_arena);
  PyObjectArenaAllocator ours = {original_arena.ctx, arena_alloc, arena_free};
  PyObject_SetArenaAllocator(&ours);
}

void free_arena(void* p, std::size_t bytes) noexcept {
  Thread& thread = here();
  thread.inside++;
  original_arena.free(original_arena.ctx, p, bytes);
  thread.inside--;
}

void seek_barrier(StackCache& stack, PyThreadState* state, std::uint64_t top,
                  std::uint64_t allocations) noexcept {
  if (!stack.armed) {
    const void* code = code_of(static_cast<const Frame*>(stack.frames[top].frame));
    const ShyCode& shy = shy_code(stack, code);
    if (shy.code == code && allocations < shy.until) return;
    stack.armed_at = allocations;
    stack.armed_by = code;
  } else if (allocations - stack.armed_at >= kWorthwhile) {
    // Nothing has been called from where it was armed: the program stays here, or below.
    disarm(state);
    no_longer_armed(stack, top);
    return judge(stack, stack.armed_by, false, allocations);
  }
  if (top - stack.bar >= kBarrierDistance) arm(stack, state);
  if (stack.armed) watch_constructor_calls(stack, top);
}

void register_barrier(StackCache& stack, std::uint32_t index, const Frame* frame,
                      std::uint64_t allocations) noexcept {
  std::uint32_t count = stack.barrier_count;
  if (count == stack.barriers.capacity() ||
      (count != 0 && stack.barriers[count - 1].index >= index))
    return;
  std::uint32_t slot = slot_of(frame);
  keep_from_reuse(slot);
  stack.barriers[count] = BarrierEntry{index, slot, slab.generation[slot],
                                       static_cast<std::uint32_t>(allocations), stack.armed_by};
  stack.barrier_count++;
  no_longer_armed(stack, index);
  set_barrier(stack, index, slot);
}

void no_barrier(StackCache& stack) noexcept {
  stack.barrier_count = 0;
  set_barrier(stack, 0, 0);
}

void drop_dead_barriers(StackCache& stack, std::uint64_t allocations) noexcept {
  while (stack.barrier_count != 0) {
    const BarrierEntry& last = stack.barriers[stack.barrier_count - 1];
    if (barrier_alive(last.slot, last.generation, chunk_of(last.slot)))
      return set_barrier(stack, last.index, last.slot);
    stack.barrier_count--;
    judge(stack, last.maker, static_cast<std::uint32_t>(allocations) - last.born >= kWorthwhile,
          allocations);
  }
  no_barrier(stack);
}

}  // namespace malloc_tracer::capture::cpython
