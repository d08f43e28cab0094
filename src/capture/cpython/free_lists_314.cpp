// SPDX-License-Identifier: MIT
//
// CPython 3.14 and 3.15: all lists are of one kind, linked by their entries' first words, and a
// size of -1 turns one off for good: a collection empties them, but leaves them off.
#include "capture/cpython/free_lists.hpp"
#include "capture/cpython/python_headers.hpp"

#if PY_VERSION_HEX >= 0x030e0000

#include "internal/pycore_freelist_state.h"

namespace malloc_tracer::capture::cpython {

namespace {

_Py_freelists* lists = nullptr;  // while disabled

template <class Act>
void for_each_list(Act act) noexcept {
  auto plain = [](void* object) { PyObject_Free(object); };
  auto collected = [](void* object) { PyObject_GC_Del(object); };
  auto memory = [](void* block) { PyMem_Free(block); };
  for (_Py_freelist* list : {&lists->floats, &lists->ints, &lists->ranges, &lists->range_iters})
    act(*list, plain);
  for (_Py_freelist& list : lists->tuples) act(list, collected);
  for (_Py_freelist* list :
       {&lists->lists, &lists->list_iters, &lists->tuple_iters, &lists->dicts, &lists->slices,
        &lists->contexts, &lists->async_gens, &lists->async_gen_asends, &lists->futureiters,
        &lists->pycfunctionobject, &lists->pycmethodobject, &lists->pymethodobjects})
    act(*list, collected);
  for (_Py_freelist* list : {&lists->dictkeys, &lists->unicode_writers}) act(*list, memory);
  act(lists->object_stack_chunks, [](void* chunk) { PyMem_RawFree(chunk); });
#if PY_VERSION_HEX >= 0x030f0000
  act(lists->complexes, plain);
  act(lists->bytes_writers, memory);
#endif
}

}  // namespace

void learn_free_lists() noexcept {}

void drain_free_lists() noexcept {}  // disable_free_lists does it

void disable_free_lists() noexcept {
  if (lists != nullptr) return;
  lists = &PyInterpreterState_Get()->object_state.freelists;
  for_each_list([](_Py_freelist& list, auto free) {
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

void enable_free_lists() noexcept {
  if (lists == nullptr) return;
  for_each_list([](_Py_freelist& list, auto) { list.size = 0; });
  lists = nullptr;
}

}  // namespace malloc_tracer::capture::cpython

#endif
