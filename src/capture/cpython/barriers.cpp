// SPDX-License-Identifier: MIT
#include "capture/cpython/barriers.hpp"

#include <cstddef>

#include "capture/world.hpp"
#include "memory/spin_lock.hpp"
#include "platform/prim.hpp"

#if PY_VERSION_HEX >= 0x030b0000

namespace malloc_tracer::capture::cpython {

constinit Slab slab;

namespace {

memory::SpinLock slab_lock;
std::uint32_t next_free[kSlots];
std::uint32_t free_head = 0, used = 1;
PyObjectArenaAllocator original_arena;
char no_slab_chunk[sizeof(_PyStackChunk)];  // stands for slot 0 where there is no slab

std::uint32_t take_slot() noexcept {
  memory::SpinGuard guard(slab_lock);
  std::uint32_t slot = free_head;
  if (slot != 0) {
    free_head = next_free[slot];
  } else if (used < kSlots) {
    slot = used++;
  }
  if (slot != 0) slab.generation[slot]++;
  return slot;
}

// Arenas and chunks are mapped memory below the objects in them: not events of their own.
void* arena_alloc(void*, std::size_t bytes) {
  if (bytes == kChunkBytes && slab.base != nullptr) {
    if (std::uint32_t slot = take_slot()) return slot_chunk(slot);
  }
  Thread& thread = here();
  thread.inside++;
  void* arena = original_arena.alloc(original_arena.ctx, bytes);
  thread.inside--;
  return arena;
}

void arena_free(void*, void* p, std::size_t bytes) {
  if (in_slab(p)) {
    auto slot = static_cast<std::uint32_t>(
        static_cast<std::size_t>(static_cast<char*>(p) - slab.base) / kSlotBytes);
    memory::SpinGuard guard(slab_lock);
    slab.generation[slot]++;
    next_free[slot] = free_head;
    free_head = slot;
    return;
  }
  Thread& thread = here();
  thread.inside++;
  original_arena.free(original_arena.ctx, p, bytes);
  thread.inside--;
}

void after_fork_in_child() { slab_lock.reset(); }

void set_barrier(StackCache& stack, std::uint32_t index, std::uint32_t slot) noexcept {
  stack.set_bar(index);
  stack.bar_slot = slot;
  stack.bar_generation = slab.generation[slot];
  stack.bar_chunk =
      slab.base != nullptr ? static_cast<const void*>(slot_chunk(slot)) : no_slab_chunk;
  // Only a live barrier's frame may be read: frames[0] may be unmapped.
  stack.link =
      slot != 0 ? static_cast<const Frame*>(stack.frames[index].frame)->previous : stack.root_link;
}

}  // namespace

void install_arena_hook() noexcept {
  auto* self_linked = reinterpret_cast<_PyStackChunk*>(no_slab_chunk);
  self_linked->previous = self_linked;
  slab.base = static_cast<char*>(platform::reserve(kSlotBytes * kSlots));
  if (slab.base == nullptr) return;
  slot_chunk(0)->previous = slot_chunk(0);
  platform::at_fork(after_fork_in_child);
  PyObject_GetArenaAllocator(&original_arena);
  PyObjectArenaAllocator ours = {original_arena.ctx, arena_alloc, arena_free};
  PyObject_SetArenaAllocator(&ours);
}

void arm(StackCache& stack, PyThreadState* state) noexcept {
  if (slab.base == nullptr || state->datastack_chunk == nullptr) return;
  stack.armed = true;
  if (state->datastack_limit <= state->datastack_top) return;
  // A popped chunk that waits there is not one of ours if it is older than the first scope: it
  // would be pushed in place of a barrier.
  if (_PyStackChunk* waiting = waiting_chunk(state); waiting != nullptr && !in_slab(waiting)) {
    forget_waiting_chunk(state);
    arena_free(nullptr, waiting, waiting->size);
  }
  state->datastack_limit = state->datastack_top;
}

void disarm_all() noexcept {
  for (PyThreadState* state = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
       state != nullptr; state = PyThreadState_Next(state)) {
    _PyStackChunk* chunk = state->datastack_chunk;
    if (chunk == nullptr) continue;
    auto* limit = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(chunk) + chunk->size);
    if (in_slab(chunk))
      limit = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(chunk) + kChunkBytes);
    if (state->datastack_limit < limit) state->datastack_limit = limit;
  }
}

void register_barrier(StackCache& stack, std::uint32_t index, const Frame* frame) noexcept {
  auto offset = static_cast<std::size_t>(reinterpret_cast<const char*>(frame) - slab.base);
  std::uint32_t count = stack.barrier_count;
  if (count == stack.barriers.capacity() ||
      (count != 0 && stack.barriers[count - 1].index >= index))
    return;
  auto slot = static_cast<std::uint32_t>(offset / kSlotBytes);
  // 8 less than any request: a popped barrier chunk that waits in the interpreter's cache is never
  // pushed again.
  slot_chunk(slot)->size = kChunkBytes - 8;
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
    if (barrier_alive(last.slot, last.generation, slot_chunk(last.slot))) {
      return set_barrier(stack, last.index, last.slot);
    }
    stack.barrier_count--;
  }
  no_barrier(stack);
}

}  // namespace malloc_tracer::capture::cpython

#endif
