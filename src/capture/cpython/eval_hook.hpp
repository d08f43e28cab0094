// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/frame_layout.hpp"
#include "capture/cpython/watches.hpp"

// Up to CPython 3.11: the one pointer through which an interpreter evaluates a Python call (PEP
// 523), shared by those of us who want to stand there. Requires the GIL.
namespace malloc_tracer::capture::cpython {

#if PY_VERSION_HEX < 0x030c0000

#if PY_VERSION_HEX >= 0x030b0000
using EvaluatedFrame = Frame;
#else
using EvaluatedFrame = PyFrameObject;
#endif

// What stands there while any of them wants it: in the family's exit_events_*.cpp.
PyObject* evaluate(PyThreadState* state, EvaluatedFrame* frame, int throwing);

inline constexpr unsigned kForWatches = 1;  // a watched function is awaited
inline constexpr unsigned kForBarrier = 2;  // the next call becomes a barrier (up to 3.10)

inline _PyFrameEvalFunction previous = nullptr;  // what was there before us
inline unsigned hook_wanted = 0;

// Another interpreter may keep the hook for one call more.
inline void want_hook(PyInterpreterState* interpreter, unsigned whom, bool on) noexcept {
  hook_wanted = on ? hook_wanted | whom : hook_wanted & ~whom;
  _PyFrameEvalFunction now = _PyInterpreterState_GetEvalFrameFunc(interpreter);
  if (hook_wanted != 0 && now != evaluate) {
    previous = now;
    _PyInterpreterState_SetEvalFrameFunc(interpreter, evaluate);
  } else if (hook_wanted == 0 && now == evaluate) {
    _PyInterpreterState_SetEvalFrameFunc(interpreter, previous);
  }
}

inline void await_watched(bool on) noexcept {
  want_hook(PyInterpreterState_Get(), kForWatches, on);
}

// Inside the target nobody else can enter a watched function before it has left.
inline bool can_rest(const PyThreadState* state) noexcept {
  return watches != nullptr && watches->next == nullptr && state->next == nullptr &&
         state->prev == nullptr;
}

#endif

}  // namespace malloc_tracer::capture::cpython
