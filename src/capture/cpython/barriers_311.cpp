// SPDX-License-Identifier: MIT
#include "capture/cpython/barriers.hpp"
#include "platform/prim.hpp"

#if PY_VERSION_HEX >= 0x030b0000

namespace malloc_tracer::capture::cpython {

bool reserve_slab() noexcept {
  slab.base = static_cast<char*>(platform::reserve(kSlotBytes * kSlots));
  return slab.base != nullptr;
}

void* take_chunk(std::size_t bytes) noexcept {
  std::uint32_t slot = bytes == kChunkBytes ? take_slot() : 0;
  return slot != 0 ? slot_chunk(slot) : nullptr;
}

bool give_chunk(void* p) noexcept {
  if (!in_slab(p)) return false;
  give_slot(slot_of(p));
  return true;
}

void arm(StackCache& stack, PyThreadState* state) noexcept {
  if (slab.base == nullptr || state->datastack_chunk == nullptr) return;
  stack.armed = true;
  if (state->datastack_limit <= state->datastack_top) return;
  // A popped chunk that waits there is not one of ours if it is older than the first scope: it
  // would be pushed in place of a barrier.
  if (_PyStackChunk* waiting = waiting_chunk(state); waiting != nullptr && !in_slab(waiting)) {
    forget_waiting_chunk(state);
    free_arena(waiting, waiting->size);
  }
  state->datastack_limit = state->datastack_top;
}

void disarm(PyThreadState* state) noexcept {
  _PyStackChunk* chunk = state->datastack_chunk;
  if (chunk == nullptr) return;
  std::size_t bytes = in_slab(chunk) ? kChunkBytes : chunk->size;
  auto* limit = reinterpret_cast<PyObject**>(reinterpret_cast<char*>(chunk) + bytes);
  if (state->datastack_limit < limit) state->datastack_limit = limit;
}

void disarm_all() noexcept {
  for (PyThreadState* state = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
       state != nullptr; state = PyThreadState_Next(state))
    disarm(state);
}

}  // namespace malloc_tracer::capture::cpython

#endif
