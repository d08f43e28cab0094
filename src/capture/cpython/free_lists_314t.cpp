// SPDX-License-Identifier: MIT
//
// Free-threaded CPython 3.14 and 3.15: every thread has its own lists. They are turned off while
// all threads stand still; those of a thread that begins later before it begins its first frame.
#include "capture/cpython/free_lists.hpp"
#include "capture/cpython/python_headers.hpp"

#if PY_VERSION_HEX >= 0x030e0000 && defined(Py_GIL_DISABLED)

#include "capture/cpython/free_lists_314.hpp"
#include "capture/cpython/thread_state.hpp"
#include "memory/relaxed.hpp"

namespace malloc_tracer::capture::cpython {

namespace {

memory::Relaxed<PyInterpreterState*> disabled_in = nullptr;  // the interpreter, while disabled

_Py_freelists& lists_of(PyThreadState* state) noexcept {
  return reinterpret_cast<_PyThreadStateImpl*>(state)->freelists;
}

template <class Act>
void for_each_thread(PyInterpreterState* interpreter, Act act) noexcept {
  for (PyThreadState* state = PyInterpreterState_ThreadHead(interpreter); state != nullptr;
       state = PyThreadState_Next(state)) {
    act(lists_of(state));
  }
}

}  // namespace

void learn_free_lists() noexcept {}

void drain_free_lists() noexcept {}  // disable_free_lists does it

void disable_free_lists() noexcept {
  if (disabled_in != nullptr) return;
  disabled_in = PyInterpreterState_Get();
  for_each_thread(disabled_in, turn_off);
}

void enable_free_lists() noexcept {
  if (disabled_in == nullptr) return;
  for_each_thread(disabled_in, turn_on);
  disabled_in = nullptr;
}

void disable_free_lists_of_new_thread() noexcept {
  PyThreadState* state = attached_state();
  if (state != nullptr && state->interp == disabled_in) turn_off(lists_of(state));
}

}  // namespace malloc_tracer::capture::cpython

#endif
