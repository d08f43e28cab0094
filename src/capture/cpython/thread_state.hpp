// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include "capture/cpython/free_threading.hpp"
#include "capture/cpython/python_headers.hpp"
#include "memory/compiler.hpp"
#include "platform/cpu.hpp"

// The calling thread's Python thread state without calling into the interpreter. Hook safe.
//
// Traps: before 3.12 the unchecked getter gives *another thread's* state
// while this one has released the GIL, so pointers are compared; from 3.12 on the current state is
// thread-local, and its offset is found once at start-up.
namespace malloc_tracer::capture::cpython {

// How to find the state; filled by find_thread_state() before the first hook is installed.
struct ThreadStateSource {
  // Of the thread-local "current state" from the thread pointer; where it is not known, of a word
  // that is always null.
  long offset = 0;
  bool known = false;
  PyThreadState* volatile* current = nullptr;  // 3.11: the runtime's current state
  pthread_key_t own_key =
      0;  // pthread key of this thread's state, attached or not; not from 3.15 on
};
extern constinit ThreadStateSource thread_state_source;

// Requires the GIL. False if this interpreter keeps its state where we cannot find it.
bool find_thread_state() noexcept;

#if PY_VERSION_HEX >= 0x030c0000
// Without a call: nullptr also where attached_state() has to be asked.
MT_INLINE PyThreadState* attached_state_nearby() noexcept {
  return static_cast<PyThreadState*>(platform::thread_local_word(thread_state_source.offset));
}
// This thread's state while it holds the GIL, else nullptr.
inline PyThreadState* attached_state() noexcept {
  if (MT_LIKELY(thread_state_source.known)) return attached_state_nearby();
#if PY_VERSION_HEX >= 0x030d0000
  return PyThreadState_GetUnchecked();
#else
  return _PyThreadState_UncheckedGet();
#endif
}
MT_INLINE bool is_attached() noexcept { return attached_state() != nullptr; }
#else
// The state of whoever holds the GIL: this thread's, if it is known to hold it.
MT_INLINE PyThreadState* attached_state() noexcept { return *thread_state_source.current; }
MT_INLINE PyThreadState* attached_state_nearby() noexcept { return attached_state(); }
MT_INLINE bool is_attached() noexcept {
  void* own = pthread_getspecific(thread_state_source.own_key);
  return own != nullptr && own == *thread_state_source.current;
}
#endif

// This thread's state whether or not it holds the GIL; nullptr in a thread that Python does not
// know.
MT_INLINE PyThreadState* own_state() noexcept {
#if PY_VERSION_HEX >= 0x030f0000
  return PyGILState_GetThisThreadState();  // two loads; its key is gone
#else
  return static_cast<PyThreadState*>(pthread_getspecific(thread_state_source.own_key));
#endif
}

inline constexpr bool kMayHaveOtherGil = PY_VERSION_HEX >= 0x030c0000 && !kFreeThreaded;
// Is the state's holder not alone with the main lane? It has no GIL to hold, or that of another
// interpreter. While an interpreter is made, its state is current before it has any GIL.
inline bool is_foreign(const PyThreadState* state) noexcept {
#ifdef Py_GIL_DISABLED
  (void)state;
  return true;
#elif PY_VERSION_HEX >= 0x030c0000
  return state != nullptr && state->interp != _PyRuntime.interpreters.main &&
         (state->interp->ceval.own_gil != 0 || state->interp->ceval.gil == nullptr);
#else
  (void)state;
  return false;
#endif
}

// Is it this interpreter's code that the thread runs? A type's deallocator is called by all of
// them, and may touch what belongs to one only there. Requires a GIL.
MT_INLINE bool runs_in(const PyInterpreterState* interpreter) noexcept {
  return attached_state()->interp == interpreter;
}

}  // namespace malloc_tracer::capture::cpython
