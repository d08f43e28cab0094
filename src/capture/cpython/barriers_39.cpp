// SPDX-License-Identifier: MIT
//
// CPython 3.9 and 3.10 have no data stack: every frame is verified. Only arenas are kept out of the
// events.
#include "capture/cpython/barriers.hpp"
#include "capture/world.hpp"

#if PY_VERSION_HEX < 0x030b0000

namespace malloc_tracer::capture::cpython {

constinit Slab slab;

namespace {

PyObjectArenaAllocator original_arena;
_PyStackChunk always_alive = {&always_alive, 0, 0, {}};

void* arena_alloc(void*, std::size_t bytes) {
  Thread& thread = here();
  thread.inside++;
  void* arena = original_arena.alloc(original_arena.ctx, bytes);
  thread.inside--;
  return arena;
}

void arena_free(void*, void* p, std::size_t bytes) {
  Thread& thread = here();
  thread.inside++;
  original_arena.free(original_arena.ctx, p, bytes);
  thread.inside--;
}

}  // namespace

void install_arena_hook() noexcept {
  PyObject_GetArenaAllocator(&original_arena);
  PyObjectArenaAllocator ours = {original_arena.ctx, arena_alloc, arena_free};
  PyObject_SetArenaAllocator(&ours);
}

void arm(StackCache&, PyThreadState*) noexcept {}
void disarm_all() noexcept {}
void register_barrier(StackCache&, std::uint32_t, const Frame*) noexcept {}
void drop_dead_barriers(StackCache& stack) noexcept { no_barrier(stack); }

void no_barrier(StackCache& stack) noexcept {
  stack.barrier_count = 0;
  stack.set_bar(0);
  stack.bar_slot = 0;
  stack.bar_generation = slab.generation[0];
  stack.bar_chunk = &always_alive;
  stack.link = stack.root_link;
}

}  // namespace malloc_tracer::capture::cpython

#endif
