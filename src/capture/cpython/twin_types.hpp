// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/python_headers.hpp"

// Up to 3.12: types whose deallocator puts an object on a free list only if it is of the very type,
// not of a subclass. While the lists are off a dying object becomes one of a copy of its type, its
// twin, so that it is freed. The twin has the original deallocator, as the interpreter's guard
// against deep nesting (the trashcan) asks for. Requires the GIL.
namespace malloc_tracer::capture::cpython {

struct Twin {
  PyTypeObject* type;
  destructor ours;
  PyTypeObject copy = {};
};

// Put in place of the type's deallocator.
inline void become_twin(Twin& twin, PyObject* object) {
  if (Py_TYPE(object) == twin.type) Py_SET_TYPE(object, &twin.copy);
  twin.copy.tp_dealloc(object);
}

inline void use_twin(Twin& twin, bool on) noexcept {
  if (on) {
    twin.copy = *twin.type;
    twin.type->tp_dealloc = twin.ours;
  } else {
    twin.type->tp_dealloc = twin.copy.tp_dealloc;
  }
}

}  // namespace malloc_tracer::capture::cpython
