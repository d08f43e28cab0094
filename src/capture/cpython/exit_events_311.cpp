// SPDX-License-Identifier: MIT
//
// CPython 3.11: an eval-frame hook. It keeps the interpreter from inlining Python calls
// (1.48 on a call-heavy loop), so it is armed only while a watched function is awaited, and off
// inside it while no other thread could call one.
#include "capture/cpython/eval_hook.hpp"
#include "capture/cpython/exit_events.hpp"
#include "capture/cpython/watches.hpp"

#if PY_VERSION_HEX >= 0x030b0000 && PY_VERSION_HEX < 0x030c0000

#include <opcode.h>  // macros with plain names

#include "internal/pycore_genobject.h"

namespace malloc_tracer::capture::cpython {

namespace {

// Calling a generator function runs its frame only as far as making the generator.
bool only_makes_generator(const Frame* frame) noexcept {
  constexpr int kGenerators = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR;
  return (code_of(frame)->co_flags & kGenerators) != 0 && frame->owner != FRAME_OWNED_BY_GENERATOR;
}

bool is_suspended(Frame* frame) noexcept {
  return frame->owner == FRAME_OWNED_BY_GENERATOR &&
         _PyFrame_GetGenerator(frame)->gi_frame_state == FRAME_SUSPENDED;
}

}  // namespace

PyObject* evaluate(PyThreadState* state, Frame* frame, int throwing) {
  if (!is_watched(frame) || only_makes_generator(frame)) return previous(state, frame, throwing);
  bool starts = frame->owner != FRAME_OWNED_BY_GENERATOR ||
                (!throwing && _Py_OPCODE(*frame->prev_instr) == RETURN_GENERATOR);
  bool rests = can_rest(state) && frame->owner != FRAME_OWNED_BY_GENERATOR;
  if (rests) await_watched(false);
  _PyFrameEvalFunction next = previous;
  frame_entered(frame, starts);
  PyObject* result = next(state, frame, throwing);
  frame_left(
      frame,
      !is_suspended(frame));  // 3.11 clears a frame's locals only after its evaluation has returned
  if (rests && watches != nullptr) await_watched(true);
  return result;
}

// The hook enters a function before its cells are made; from 3.12 on they are made before it is
// entered, and are its caller's.
bool is_event_bookkeeping(PyThreadState* state, std::uint64_t, snapshot::Allocator) noexcept {
  const Frame* frame = state != nullptr ? top_frame(state) : nullptr;
  return frame != nullptr && watches != nullptr && is_incomplete(frame) && is_watched(frame);
}

}  // namespace malloc_tracer::capture::cpython

#endif
