// SPDX-License-Identifier: MIT
//
// CPython 3.9: the lists are static variables that nobody else can reach, so they cannot be turned
// off. A full collection empties them before the first scope opens; what is reused from then on is
// not seen, and every result says so (Lost::kFreeListsOn).
#include "capture/cpython/free_lists.hpp"
#include "capture/cpython/python_headers.hpp"

#if PY_VERSION_HEX < 0x030a0000

namespace malloc_tracer::capture::cpython {

void learn_free_lists() noexcept {}

void drain_free_lists() noexcept {
  PyObject* collector = PyImport_ImportModule("gc");
  PyObject* collected =
      collector != nullptr ? PyObject_CallMethod(collector, "collect", nullptr) : nullptr;
  Py_XDECREF(collected);
  Py_XDECREF(collector);
  PyErr_Clear();
}

void disable_free_lists() noexcept {}
void enable_free_lists() noexcept {}

}  // namespace malloc_tracer::capture::cpython

#endif
