// SPDX-License-Identifier: MIT
//
// CPython 3.13: a count of -1 turns a list off (what finalization uses); tuples are off while they
// look full and empty at once, and the one cached slice is emptied after each slice's deallocator.
#include "capture/cpython/collector_watch.hpp"
#include "capture/cpython/free_lists.hpp"
#include "capture/cpython/python_headers.hpp"
#include "capture/cpython/thread_state.hpp"

#if PY_VERSION_HEX >= 0x030d0000 && PY_VERSION_HEX < 0x030e0000

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include "internal/pycore_context.h"
#pragma GCC diagnostic pop

namespace malloc_tracer::capture::cpython {

namespace {

_Py_object_freelists* lists = nullptr;  // while disabled
PyInterpreterState* interpreter = nullptr;
destructor original_slice;

template <class List, class Free>
void empty(List& list, Free free) noexcept {
  while (list.numfree > 0) free(list.items[--list.numfree]);
  list.numfree = -1;
}

void empty_floats() noexcept {
  PyFloatObject* next = lists->floats.items;
  lists->floats.items = nullptr;
  lists->floats.numfree = -1;
  while (next != nullptr) {
    PyFloatObject* freed = next;
    next = reinterpret_cast<PyFloatObject*>(Py_TYPE(freed));
    PyObject_Free(freed);
  }
}

void empty_contexts() noexcept {
  PyContext* next = lists->contexts.items;
  lists->contexts.items = nullptr;
  lists->contexts.numfree = -1;
  while (next != nullptr) {
    PyContext* freed = next;
    next = reinterpret_cast<PyContext*>(next->ctx_weakreflist);
    freed->ctx_weakreflist = nullptr;
    PyObject_GC_Del(freed);
  }
}

void empty_tuples() noexcept {
  for (int i = 0; i < PyTuple_NFREELISTS; i++) {
    PyTupleObject* next = lists->tuples.items[i];
    lists->tuples.items[i] = nullptr;
    lists->tuples.numfree[i] = PyTuple_MAXFREELIST;
    while (next != nullptr) {
      PyTupleObject* freed = next;
      next = reinterpret_cast<PyTupleObject*>(next->ob_item[0]);
      PyObject_GC_Del(freed);
    }
  }
}

void empty_slice() noexcept {
  PySliceObject* slice = lists->slices.slice_cache;
  lists->slices.slice_cache = nullptr;
  if (slice != nullptr) PyObject_GC_Del(slice);
}

void slice_dealloc(PyObject* object) {
  original_slice(object);  // may end the last scope
  if (lists != nullptr && runs_in(interpreter)) empty_slice();
}

// Off, and empty; no-op while they are enabled.
void apply_free_lists() noexcept {
  if (lists == nullptr) return;
  empty_floats();
  empty_tuples();
  empty_contexts();
  empty_slice();
  empty(lists->lists, [](void* p) { PyObject_GC_Del(p); });
  empty(lists->dicts, [](void* p) { PyObject_GC_Del(p); });
  empty(lists->dictkeys, [](void* p) { PyMem_Free(p); });
  empty(lists->async_gens, [](void* p) { PyObject_GC_Del(p); });
  empty(lists->async_gen_asends, [](void* p) { PyObject_GC_Del(p); });
}

}  // namespace

void learn_free_lists() noexcept { watch_collector(apply_free_lists); }

void drain_free_lists() noexcept {}  // disable_free_lists does it

void disable_free_lists() noexcept {
  if (lists != nullptr) return;
  interpreter = PyInterpreterState_Get();
  lists = &interpreter->object_state.freelists;
  original_slice = PySlice_Type.tp_dealloc;
  PySlice_Type.tp_dealloc = slice_dealloc;
  apply_free_lists();
}

void enable_free_lists() noexcept {
  if (lists == nullptr) return;
  PySlice_Type.tp_dealloc = original_slice;
  for (int& count : lists->tuples.numfree) count = 0;
  for (int* count : {&lists->floats.numfree, &lists->contexts.numfree, &lists->lists.numfree,
                     &lists->dicts.numfree, &lists->dictkeys.numfree, &lists->async_gens.numfree,
                     &lists->async_gen_asends.numfree}) {
    *count = 0;
  }
  lists = nullptr;
}

}  // namespace malloc_tracer::capture::cpython

#endif
