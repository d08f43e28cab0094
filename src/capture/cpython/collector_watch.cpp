// SPDX-License-Identifier: MIT
#include "capture/cpython/collector_watch.hpp"

#include "capture/cpython/python_headers.hpp"
#include "capture/cpython/thread_state.hpp"
#include "capture/engine.hpp"

namespace malloc_tracer::capture::cpython {

namespace {

void (*on_collected)() noexcept = nullptr;
PyInterpreterState* interpreter = nullptr;  // whose collector it is

// The lists are switched on at the collection's end, after this: the first event after it switches
// them off before it counts.
int traverse(PyObject*, visitproc, void*) {
  if (engine.open_scopes == 0) return 0;
  engine.interrupted.store(true, std::memory_order_relaxed);
  engine.main.run.match = kNoRun;
  return 0;
}

void on_interrupt() {
  // A finalizer's event: the lists are yet to be switched on. Another interpreter's: not its lists.
  if (!runs_in(interpreter) || interpreter->gc.collecting) return;
  engine.interrupted.store(false, std::memory_order_relaxed);
  on_collected();
}

PyTypeObject sentinel_type = {};

}  // namespace

void watch_collector(void (*collected)() noexcept) noexcept {
  on_collected = collected;
  interpreter = PyInterpreterState_Get();
  Py_SET_REFCNT(&sentinel_type, 1);
  sentinel_type.tp_name = "malloc_tracer._engine._Sentinel";
  sentinel_type.tp_basicsize = sizeof(PyObject);
  sentinel_type.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC;
  sentinel_type.tp_traverse = traverse;
  sentinel_type.tp_free = PyObject_GC_Del;
  if (PyType_Ready(&sentinel_type) < 0) return PyErr_Clear();
  PyObject* sentinel = PyType_GenericAlloc(&sentinel_type, 0);  // tracked, and alive for good
  if (sentinel == nullptr) PyErr_Clear();
  engine.interrupt = on_interrupt;
}

}  // namespace malloc_tracer::capture::cpython
