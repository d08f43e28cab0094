// SPDX-License-Identifier: MIT
//
// CPython 3.9 and 3.10: an eval-frame hook (PEP 523), armed only while a watched function is
// awaited.
#include "capture/cpython/exit_events.hpp"
#include "capture/cpython/watches.hpp"

#if PY_VERSION_HEX < 0x030b0000

namespace malloc_tracer::capture::cpython {

namespace {

_PyFrameEvalFunction previous = nullptr;  // what was there before us

PyObject* evaluate(PyThreadState* state, PyFrameObject* object, int throwing);

void arm_hook(bool on) noexcept {
  PyInterpreterState* interpreter = PyInterpreterState_Get();
  _PyFrameEvalFunction now = _PyInterpreterState_GetEvalFrameFunc(interpreter);
  if (on && now != evaluate) {
    previous = now;
    _PyInterpreterState_SetEvalFrameFunc(interpreter, evaluate);
  } else if (!on && now == evaluate) {
    _PyInterpreterState_SetEvalFrameFunc(interpreter, previous);
  }
}

// Inside the target nobody else can enter a watched function before it has left.
bool can_rest(const PyThreadState* state) noexcept {
  return watches != nullptr && watches->next == nullptr && state->next == nullptr &&
         state->prev == nullptr;
}

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

PyObject* evaluate(PyThreadState* state, PyFrameObject* object, int throwing) {
  auto* frame = reinterpret_cast<const Frame*>(object);
  if (!is_watched(frame)) return previous(state, object, throwing);
  bool rests = can_rest(state) && !is_generators(object);
  if (rests) arm_hook(false);
  _PyFrameEvalFunction next = previous;
  frame_entered(frame, object->f_lasti < 0 && !throwing);
  PyObject* result = next(state, object, throwing);
  frame_left(frame, !is_suspended(object));  // its locals are cleared by whoever called
  if (rests && watches != nullptr) arm_hook(true);
  return result;
}

}  // namespace

bool watch(Watch& watch, PyObject* function, ScopeRef& scope, bool ends_scope) {
  add_watch(watch, function, scope, ends_scope);
  arm_hook(true);
  return true;
}

void unwatch(Watch& watch) {
  if (!remove_watch(watch)) return;
  if (watches == nullptr) arm_hook(false);
  Py_CLEAR(watch.function);
}

bool is_event_bookkeeping(PyThreadState*, std::uint64_t, snapshot::Allocator) noexcept {
  return false;
}

}  // namespace malloc_tracer::capture::cpython

#endif
