// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/python_headers.hpp"

// For deallocators of ours that stand in a type in place of CPython's own (up to 3.12). CPython
// bounds the depth to which containers free each other, but its deallocators ask for that only if
// they are the type's: under ours a list nested a hundred thousand deep would overflow the stack.
// So ours asks in their place. Requires the GIL.
namespace malloc_tracer::capture::cpython {

// Runs `original`, which CPython bounds the depth of; `ours` is what stands in the type now. False
// if the object waits for its turn: then `ours` will be called again.
inline bool dealloc_nested(PyObject* object, destructor ours, destructor original) {
  // Of a subclass the depth has been bounded by its own deallocator.
  PyThreadState* bounded = Py_TYPE(object)->tp_dealloc == ours ? PyThreadState_Get() : nullptr;
  if (bounded != nullptr) {
    PyObject_GC_UnTrack(
        object);  // those that wait are linked through what the collector links them by
    if (_PyTrash_begin(bounded, object) != 0) return false;
  }
  original(object);
  if (bounded != nullptr) _PyTrash_end(bounded);
  return true;
}

}  // namespace malloc_tracer::capture::cpython
