// SPDX-License-Identifier: MIT
#pragma once

#include <Python.h>

// What may be held by one thread of Python at a time, where the GIL does not see to that already
// (free-threaded builds). Whoever waits for it lets go of the interpreter. Not hook safe.
namespace malloc_tracer::capture::cpython {

#ifdef Py_GIL_DISABLED

class Mutex {
 public:
  void lock() noexcept { PyMutex_Lock(&mutex_); }
  void unlock() noexcept { PyMutex_Unlock(&mutex_); }

 private:
  PyMutex mutex_ = {};
};

#else

class Mutex {
 public:
  void lock() noexcept {}
  void unlock() noexcept {}
};

#endif

class MutexGuard {
 public:
  explicit MutexGuard(Mutex& mutex) noexcept : mutex_(mutex) { mutex_.lock(); }
  ~MutexGuard() { mutex_.unlock(); }
  MutexGuard(const MutexGuard&) = delete;
  MutexGuard& operator=(const MutexGuard&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace malloc_tracer::capture::cpython
