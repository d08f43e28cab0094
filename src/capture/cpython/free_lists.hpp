// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/python_headers.hpp"

// The interpreter's free lists hide allocations: 20 floats made after warm-up are one allocator
// call, and a reused block keeps the line of its first owner. They are drained when recording
// starts and stay off while it lasts. One sibling file per CPython family.
//
// A full garbage collection turns some lists on again (up to 3.13): see collector_watch.hpp.
// Requires the GIL for all.
namespace malloc_tracer::capture::cpython {

inline constexpr bool kFreeListsStayOn = PY_VERSION_HEX < 0x030a0000;

// Once, before the first scope, not from a hook: may run a line of Python.
void learn_free_lists() noexcept;
// Before a scope opens, with none open: 3.9 can do it no later.
void drain_free_lists() noexcept;
void disable_free_lists() noexcept;
void enable_free_lists() noexcept;
// The calling thread is about to begin a frame, maybe its first: on free-threaded builds lists are
// the threads' own.
#ifdef Py_GIL_DISABLED
void disable_free_lists_of_new_thread() noexcept;
#else
inline void disable_free_lists_of_new_thread() noexcept {}
#endif

}  // namespace malloc_tracer::capture::cpython
