// SPDX-License-Identifier: MIT
#pragma once

#include <Python.h>

#include "capture/scopes.hpp"

// Tells a scope of every activation of one Python function, or of any function made of one code
// object, with its locals still alive at the exit. One sibling file per CPython family:
// sys.monitoring from 3.12 on, an eval-frame hook armed only while waiting before. Requires the GIL
// for all.
namespace malloc_tracer::capture::cpython {

// A function or code object that is watched for a scope. Lives in its owner while watched; no
// allocation.
struct Watch {
  PyObject* function = nullptr;  // strong reference while watched
  ScopeRef* scope = nullptr;
  bool ends_scope =
      false;  // the last return is the scope's end: what is freed after it is undone in the result
  Watch* next = nullptr;
  std::uint64_t calls = 0;
};

// False with a Python exception set if the interpreter refuses.
bool watch(Watch& watch, PyObject* function, ScopeRef& scope, bool ends_scope);
void unwatch(Watch& watch);

// Is this allocation the interpreter's bookkeeping for our own events? It must not appear in the
// numbers.
bool is_event_bookkeeping(PyThreadState* state, std::uint64_t bytes,
                          snapshot::Allocator allocator) noexcept;

}  // namespace malloc_tracer::capture::cpython
