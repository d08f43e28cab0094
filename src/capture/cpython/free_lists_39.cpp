// SPDX-License-Identifier: MIT
//
// CPython 3.9: the lists are static variables that nobody else can reach. A full collection empties
// them before the first scope opens; floats, tuples, lists and dicts then die as twins. The keys of
// dicts, frames, slices, contexts and what async generators make are kept as ever and reused
// unseen, and every result says so (Lost::kFreeListsOn).
#include "capture/cpython/free_lists.hpp"
#include "capture/cpython/python_headers.hpp"
#include "capture/cpython/twin_types.hpp"

#if PY_VERSION_HEX < 0x030a0000

namespace malloc_tracer::capture::cpython {

namespace {

template <int kIndex>
void dealloc(PyObject* object);

Twin twins[] = {{&PyFloat_Type, dealloc<0>},
                {&PyTuple_Type, dealloc<1>},
                {&PyList_Type, dealloc<2>},
                {&PyDict_Type, dealloc<3>}};

template <int kIndex>
void dealloc(PyObject* object) {
  become_twin(twins[kIndex], object);
}

void use_twins(bool on) noexcept {
  for (Twin& each : twins) use_twin(each, on);
}

}  // namespace

void learn_free_lists() noexcept {}

void drain_free_lists() noexcept {
  PyObject* collector = PyImport_ImportModule("gc");
  PyObject* collected =
      collector != nullptr ? PyObject_CallMethod(collector, "collect", nullptr) : nullptr;
  Py_XDECREF(collected);
  Py_XDECREF(collector);
  PyErr_Clear();
}

void disable_free_lists() noexcept { use_twins(true); }
void enable_free_lists() noexcept { use_twins(false); }

}  // namespace malloc_tracer::capture::cpython

#endif
