// SPDX-License-Identifier: MIT
//
// CPython 3.10 to 3.12: the lists of floats, tuples and 3.10's frames are off while they look full
// and empty at once. The other types have no such state: lists and dicts die as twins, and the
// deallocators of the rest are followed by emptying the list.
#include "capture/cpython/collector_watch.hpp"
#include "capture/cpython/free_lists.hpp"
#include "capture/cpython/python_headers.hpp"
#include "capture/cpython/thread_state.hpp"
#include "capture/cpython/twin_types.hpp"

#if PY_VERSION_HEX >= 0x030a0000 && PY_VERSION_HEX < 0x030d0000

#if PY_VERSION_HEX < 0x030c0000
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#endif
#include "internal/pycore_context.h"
#if PY_VERSION_HEX >= 0x030b0000
#include "internal/pycore_floatobject.h"
#endif
#include "internal/pycore_tuple.h"
#if PY_VERSION_HEX < 0x030c0000
#pragma GCC diagnostic pop
#endif

namespace malloc_tracer::capture::cpython {

namespace {

#if PY_VERSION_HEX < 0x030b0000
constexpr int kFirstTuple = 1;  // 0 is the one empty tuple
constexpr int PyTuple_NFREELISTS = PyTuple_MAXSAVESIZE;
constexpr int PyFloat_MAXFREELIST = 100, kMostFrames = 200;
#else
constexpr int kFirstTuple = 0;
#endif

PyInterpreterState* interpreter = nullptr;  // while disabled

// After a deallocator: it may have ended the last scope.
bool may_empty() noexcept { return interpreter != nullptr && runs_in(interpreter); }

void empty_lists() noexcept {
  auto& state = interpreter->list;
  while (state.numfree > 0) PyObject_GC_Del(state.free_list[--state.numfree]);
}

void empty_dict_keys() noexcept {
  auto& state = interpreter->dict_state;
  while (state.keys_numfree > 0) PyObject_Free(state.keys_free_list[--state.keys_numfree]);
}

void empty_dicts() noexcept {
  auto& state = interpreter->dict_state;
  while (state.numfree > 0) PyObject_GC_Del(state.free_list[--state.numfree]);
  empty_dict_keys();
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
  for (int i = kFirstTuple; i < PyTuple_NFREELISTS; i++) {
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

#if PY_VERSION_HEX < 0x030b0000
void empty_frames() noexcept {
  auto& state = interpreter->frame;
  PyFrameObject* next = state.free_list;
  state.free_list = nullptr;
  state.numfree = kMostFrames;
  while (next != nullptr) {
    PyFrameObject* freed = next;
    next = next->f_back;
    PyObject_GC_Del(freed);
  }
}
void enable_frames() noexcept { interpreter->frame.numfree = 0; }
#else
void empty_frames() noexcept {}  // frames are no objects
void enable_frames() noexcept {}
#endif

void empty_async_generators() noexcept {
  auto& state = interpreter->async_gen;
  while (state.value_numfree > 0) PyObject_GC_Del(state.value_freelist[--state.value_numfree]);
  while (state.asend_numfree > 0) PyObject_GC_Del(state.asend_freelist[--state.asend_numfree]);
}

void dealloc_list(PyObject* object);
void dealloc_dict(PyObject* object);

Twin twins[] = {{&PyList_Type, dealloc_list}, {&PyDict_Type, dealloc_dict}};

void dealloc_list(PyObject* object) { become_twin(twins[0], object); }

void dealloc_dict(PyObject* object) {
  become_twin(twins[1], object);
  if (may_empty()) empty_dict_keys();
}

// A type whose deallocator is followed by emptying its list. The async generators' types are not
// exported: nullptr until learnt.
struct Followed {
  PyTypeObject* type;
  void (*empty)() noexcept;
  destructor ours;
  destructor original;
};

template <int kIndex>
void dealloc(PyObject* object);

Followed followed[] = {
    {&PySlice_Type, empty_slice, dealloc<0>, nullptr},
    {&PyContext_Type, empty_contexts, dealloc<1>, nullptr},
    {nullptr, empty_async_generators, dealloc<2>, nullptr},
    {nullptr, empty_async_generators, dealloc<3>, nullptr},
};

template <int kIndex>
void dealloc(PyObject* object) {
  followed[kIndex].original(object);
  if (may_empty()) followed[kIndex].empty();
}

// One item of an async generator leaves one object of each type in its list.
void learn_async_types() noexcept {
  PyObject* names = PyDict_New();
  PyObject* done = nullptr;
  if (names != nullptr && PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()) == 0) {
    done = PyRun_String(
        "async def g(): yield\ntry: g().__anext__().send(None)\nexcept StopIteration: pass\n",
        Py_file_input, names, names);
  }
  Py_XDECREF(done);
  Py_XDECREF(names);
  PyErr_Clear();
  auto& state = PyInterpreterState_Get()->async_gen;
  if (state.value_numfree > 0)
    followed[2].type = Py_TYPE(reinterpret_cast<PyObject*>(state.value_freelist[0]));
  if (state.asend_numfree > 0)
    followed[3].type = Py_TYPE(reinterpret_cast<PyObject*>(state.asend_freelist[0]));
}

// Off, and empty; no-op while they are enabled.
void apply_free_lists() noexcept {
  if (interpreter == nullptr) return;
  empty_floats();
  empty_tuples();
  empty_lists();
  empty_dicts();
  empty_slice();
  empty_contexts();
  empty_frames();
}

}  // namespace

void learn_free_lists() noexcept {
  learn_async_types();
  watch_collector(apply_free_lists);
}

void drain_free_lists() noexcept {}  // disable_free_lists does it

void disable_free_lists() noexcept {
  if (interpreter != nullptr) return;
  interpreter = PyInterpreterState_Get();
  for (Twin& each : twins) use_twin(each, true);
  for (Followed& each : followed) {
    if (each.type == nullptr) continue;
    each.original = each.type->tp_dealloc;
    each.type->tp_dealloc = each.ours;
  }
  apply_free_lists();
  empty_async_generators();
}

void enable_free_lists() noexcept {
  if (interpreter == nullptr) return;
  for (Twin& each : twins) use_twin(each, false);
  for (const Followed& each : followed) {
    if (each.type != nullptr) each.type->tp_dealloc = each.original;
  }
  interpreter->float_state.numfree = 0;
  enable_frames();
  for (int i = kFirstTuple; i < PyTuple_NFREELISTS; i++) interpreter->tuple.numfree[i] = 0;
  interpreter = nullptr;
}

}  // namespace malloc_tracer::capture::cpython

#endif
