// SPDX-License-Identifier: MIT
//
// CPython 3.11 and 3.12: the lists of floats and tuples are off while they look full and empty at once; lists, dicts, slices and
// contexts have no such state, so their deallocators are followed by emptying the list.
#include "capture/cpython/free_lists.hpp"
#include "capture/cpython/python_headers.hpp"

#if PY_VERSION_HEX < 0x030d0000

#if PY_VERSION_HEX < 0x030c0000
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#endif
#include "internal/pycore_context.h"
#include "internal/pycore_floatobject.h"
#include "internal/pycore_tuple.h"
#if PY_VERSION_HEX < 0x030c0000
#pragma GCC diagnostic pop
#endif

namespace malloc_tracer::capture::cpython {

namespace {

PyInterpreterState* interpreter = nullptr;  // while disabled
destructor original_list, original_dict, original_slice, original_context;

void empty_lists() noexcept {
  auto& state = interpreter->list;
  while (state.numfree > 0) PyObject_GC_Del(state.free_list[--state.numfree]);
}

void empty_dicts() noexcept {
  auto& state = interpreter->dict_state;
  while (state.numfree > 0) PyObject_GC_Del(state.free_list[--state.numfree]);
  while (state.keys_numfree > 0) PyObject_Free(state.keys_free_list[--state.keys_numfree]);
}

void empty_slice() noexcept {
  PySliceObject* slice = interpreter->slice_cache;
  interpreter->slice_cache = nullptr;
  if (slice != nullptr) PyObject_GC_Del(slice);
}

void empty_contexts() noexcept {
  auto& state = interpreter->context;
  while (state.numfree > 0) {
    PyContext* context = state.freelist;
    state.freelist = reinterpret_cast<PyContext*>(context->ctx_weakreflist);
    context->ctx_weakreflist = nullptr;
    state.numfree--;
    PyObject_GC_Del(context);
  }
}

void empty_floats() noexcept {
  auto& state = interpreter->float_state;
  PyFloatObject* next = state.free_list;
  state.free_list = nullptr;
  state.numfree = PyFloat_MAXFREELIST;
  while (next != nullptr) {
    PyFloatObject* freed = next;
    next = reinterpret_cast<PyFloatObject*>(Py_TYPE(freed));
    PyObject_Free(freed);
  }
}

void empty_tuples() noexcept {
  auto& state = interpreter->tuple;
  for (int i = 0; i < PyTuple_NFREELISTS; i++) {
    PyTupleObject* next = state.free_list[i];
    state.free_list[i] = nullptr;
    state.numfree[i] = PyTuple_MAXFREELIST;
    while (next != nullptr) {
      PyTupleObject* freed = next;
      next = reinterpret_cast<PyTupleObject*>(next->ob_item[0]);
      PyObject_GC_Del(freed);
    }
  }
}

void empty_async_generators() noexcept {
  auto& state = interpreter->async_gen;
  while (state.value_numfree > 0) PyObject_GC_Del(state.value_freelist[--state.value_numfree]);
  while (state.asend_numfree > 0) PyObject_GC_Del(state.asend_freelist[--state.asend_numfree]);
}

void list_dealloc(PyObject* object) {
  original_list(object);
  empty_lists();
}
void dict_dealloc(PyObject* object) {
  original_dict(object);
  empty_dicts();
}
void slice_dealloc(PyObject* object) {
  original_slice(object);
  empty_slice();
}
void context_dealloc(PyObject* object) {
  original_context(object);
  empty_contexts();
}

void follow(PyTypeObject& type, destructor& original, destructor ours) noexcept {
  original = type.tp_dealloc;
  type.tp_dealloc = ours;
}

}  // namespace

void apply_free_lists() noexcept {
  if (interpreter == nullptr) return;
  empty_floats();
  empty_tuples();
  empty_lists();
  empty_dicts();
  empty_slice();
  empty_contexts();
}

void disable_free_lists() noexcept {
  if (interpreter != nullptr) return;
  interpreter = PyInterpreterState_Get();
  follow(PyList_Type, original_list, list_dealloc);
  follow(PyDict_Type, original_dict, dict_dealloc);
  follow(PySlice_Type, original_slice, slice_dealloc);
  follow(PyContext_Type, original_context, context_dealloc);
  apply_free_lists();
  empty_async_generators();
}

void enable_free_lists() noexcept {
  if (interpreter == nullptr) return;
  PyList_Type.tp_dealloc = original_list;
  PyDict_Type.tp_dealloc = original_dict;
  PySlice_Type.tp_dealloc = original_slice;
  PyContext_Type.tp_dealloc = original_context;
  interpreter->float_state.numfree = 0;
  for (int& count : interpreter->tuple.numfree) count = 0;
  interpreter = nullptr;
}

}  // namespace malloc_tracer::capture::cpython

#endif
