// SPDX-License-Identifier: MIT
#include "capture/cpython/barriers.hpp"

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

void register_barrier(StackCache& stack, std::uint32_t index, const Frame* frame) noexcept {
  std::uint32_t count = stack.barrier_count;
  if (count == stack.barriers.capacity() ||
      (count != 0 && stack.barriers[count - 1].index >= index))
    return;
  std::uint32_t slot = slot_of(frame);
  keep_from_reuse(slot);
  stack.barriers[count] = BarrierEntry{index, slot, slab.generation[slot]};
  stack.barrier_count++;
  stack.armed = false;
  set_barrier(stack, index, slot);
}

void no_barrier(StackCache& stack) noexcept {
  stack.barrier_count = 0;
  set_barrier(stack, 0, 0);
}

void drop_dead_barriers(StackCache& stack) noexcept {
  while (stack.barrier_count != 0) {
    const BarrierEntry& last = stack.barriers[stack.barrier_count - 1];
    if (barrier_alive(last.slot, last.generation, chunk_of(last.slot)))
      return set_barrier(stack, last.index, last.slot);
    stack.barrier_count--;
  }
  no_barrier(stack);
}

}  // namespace malloc_tracer::capture::cpython
