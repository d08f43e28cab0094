// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>

#include "capture/cpython/python_headers.hpp"

// What stands in for the GIL where there is none (free-threaded builds, 3.14 and later). With the
// GIL all of this is nothing. Not hook safe.
//
// "Requires the GIL" means there: the calling thread is attached. What needs the other threads to
// stand still stops them; the rest takes a mutex (see mutex.hpp). Order: mutexes, the interpreter's
// stop, the engine's locks (see engine.hpp): a thread that waits for those is still attached.
namespace malloc_tracer::capture::cpython {

#ifdef Py_GIL_DISABLED

inline constexpr bool kFreeThreaded = true;

// While it lives no other thread of this interpreter runs Python or is inside its allocators.
class InterpreterStop {
 public:
  InterpreterStop() noexcept : interpreter_(PyInterpreterState_Get()) {
    _PyEval_StopTheWorld(interpreter_);
  }
  ~InterpreterStop() { _PyEval_StartTheWorld(interpreter_); }
  InterpreterStop(const InterpreterStop&) = delete;
  InterpreterStop& operator=(const InterpreterStop&) = delete;

 private:
  PyInterpreterState* interpreter_;
};

// The collector's links lie before an object only where there is a GIL.
inline constexpr std::size_t kCollectorHead = 0;

#else

inline constexpr bool kFreeThreaded = false;

class InterpreterStop {
 public:
  InterpreterStop() noexcept {}  // not defaulted: one that is only declared is no unused variable
};

inline constexpr std::size_t kCollectorHead = sizeof(PyGC_Head);

#endif

}  // namespace malloc_tracer::capture::cpython
