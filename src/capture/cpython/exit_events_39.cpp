// SPDX-License-Identifier: MIT
//
// CPython 3.9 and 3.10: an eval-frame hook, armed only while a watched function is awaited, and for
// single calls that become barriers.
#include "capture/cpython/barriers.hpp"
#include "capture/cpython/eval_hook.hpp"
#include "capture/cpython/exit_events.hpp"
#include "capture/cpython/watches.hpp"

#if PY_VERSION_HEX < 0x030b0000

namespace malloc_tracer::capture::cpython {

namespace {

bool is_generators(const PyFrameObject* frame) noexcept {
  return (frame->f_code->co_flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0;
}

bool is_suspended(const PyFrameObject* frame) noexcept {
#if PY_VERSION_HEX >= 0x030a0000
  return frame->f_state == FRAME_SUSPENDED;
#else
  return frame->f_stacktop != nullptr;
#endif
}

PyObject* evaluate_watched(PyThreadState* state, PyFrameObject* object, int throwing) {
  auto* frame = reinterpret_cast<const Frame*>(object);
  bool rests = can_rest(state) && !is_generators(object);
  if (rests) await_watched(false);
  _PyFrameEvalFunction next = previous;
  frame_entered(frame, object->f_lasti < 0 && !throwing);
  PyObject* result = next(state, object, throwing);
  frame_left(frame, !is_suspended(object));  // its locals are cleared by whoever called
  if (rests && watches != nullptr) await_watched(true);
  return result;
}

}  // namespace

PyObject* evaluate(PyThreadState* state, PyFrameObject* object, int throwing) {
  auto* frame = reinterpret_cast<const Frame*>(object);
  std::uint32_t barrier = begin_barrier(state, frame);
  PyObject* result = is_watched(frame) ? evaluate_watched(state, object, throwing)
                                       : previous(state, object, throwing);
  end_barrier(barrier);
  return result;
}

bool is_event_bookkeeping(PyThreadState*, std::uint64_t, snapshot::Allocator) noexcept {
  return false;
}

}  // namespace malloc_tracer::capture::cpython

#endif
