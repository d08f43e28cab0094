// SPDX-License-Identifier: MIT
#include "capture/cpython/barriers.hpp"
#include "capture/cpython/eval_hook.hpp"
#include "capture/cpython/thread_state.hpp"
#include "capture/world.hpp"

#if PY_VERSION_HEX < 0x030b0000

namespace malloc_tracer::capture::cpython {

constinit BarrierFrames barrier_frames;

namespace {

void remember(std::uint32_t slot, const Frame* frame) noexcept {
  std::uint32_t& first = barrier_frames.first[bucket_of(frame)];
  barrier_frames.frame[slot] = frame;
  barrier_frames.next[slot] = first;
  first = slot;
}

void forget(std::uint32_t slot) noexcept {
  std::uint32_t* link = &barrier_frames.first[bucket_of(barrier_frames.frame[slot])];
  while (*link != slot) link = &barrier_frames.next[*link];
  *link = barrier_frames.next[slot];
}

}  // namespace

// Beside another tool's hook there are no barriers: it may call ours as the one before it.
void arm(StackCache& stack, PyThreadState* state) noexcept {
  if (!is_attached()) return;
  _PyFrameEvalFunction now = _PyInterpreterState_GetEvalFrameFunc(state->interp);
  if (now != evaluate && now != _PyEval_EvalFrameDefault) return;
  stack.armed = true;
  want_hook(state->interp, kForBarrier, true);
}

void disarm(PyThreadState* state) noexcept { want_hook(state->interp, kForBarrier, false); }

void disarm_all() noexcept { want_hook(PyInterpreterState_Get(), kForBarrier, false); }

std::uint32_t begin_barrier(PyThreadState* state, const Frame* frame) noexcept {
  if (hook_wanted == kForWatches) return 0;
  want_hook(state->interp, kForBarrier, false);
  StackCache& stack = here().stack;
  if (!stack.armed) return 0;  // another thread's
  stack.armed = false;
  std::uint32_t slot = take_slot();
  if (slot != 0) remember(slot, frame);
  return slot;
}

void end_barrier(std::uint32_t slot) noexcept {
  if (slot == 0) return;
  forget(slot);
  give_slot(slot);
}

}  // namespace malloc_tracer::capture::cpython

#endif
