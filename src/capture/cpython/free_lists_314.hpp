// SPDX-License-Identifier: MIT
#pragma once

#include "capture/cpython/python_headers.hpp"
#include "internal/pycore_freelist_state.h"

// The free lists of CPython 3.14 and 3.15: all are of one kind, linked by their entries' first
// words, and a size of -1 turns one off for good: a collection empties them, but leaves them off.
// Whose they are is the siblings': the interpreter's (free_lists_314.cpp), or a thread's
// (free_lists_314t.cpp). Requires the GIL, or that their owner stands still.
namespace malloc_tracer::capture::cpython {

template <class Act>
void for_each_list(_Py_freelists& lists, Act act) noexcept {
  auto plain = [](void* p) { PyObject_Free(p); };
  auto collected = [](void* p) { PyObject_GC_Del(p); };
  auto memory = [](void* p) { PyMem_Free(p); };
  for (_Py_freelist* list : {&lists.floats, &lists.ints, &lists.ranges, &lists.range_iters})
    act(*list, plain);
  for (_Py_freelist& list : lists.tuples) act(list, collected);
  for (_Py_freelist* list :
       {&lists.lists, &lists.list_iters, &lists.tuple_iters, &lists.dicts, &lists.slices,
        &lists.contexts, &lists.async_gens, &lists.async_gen_asends, &lists.futureiters,
        &lists.pycfunctionobject, &lists.pycmethodobject, &lists.pymethodobjects})
    act(*list, collected);
  for (_Py_freelist* list : {&lists.dictkeys, &lists.unicode_writers}) act(*list, memory);
  act(lists.object_stack_chunks, [](void* p) { PyMem_RawFree(p); });
#if PY_VERSION_HEX >= 0x030f0000
  act(lists.complexes, plain);
  act(lists.bytes_writers, memory);
#endif
}

// Empties them, too.
inline void turn_off(_Py_freelists& lists) noexcept {
  for_each_list(lists, [](_Py_freelist& list, auto free) {
    void* next = list.freelist;
    list.freelist = nullptr;
    list.size = -1;
    while (next != nullptr) {
      void* entry = next;
      next = *static_cast<void**>(entry);
      free(entry);
    }
  });
}

inline void turn_on(_Py_freelists& lists) noexcept {
  for_each_list(lists, [](_Py_freelist& list, auto) {
    if (list.size < 0) list.size = 0;
  });
}

}  // namespace malloc_tracer::capture::cpython
