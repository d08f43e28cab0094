// SPDX-License-Identifier: MIT
//
// CPython 3.9: the lists are static variables that nobody else can reach. From before the first
// scope opens until the last closes floats, tuples, lists and dicts die as twins, and what waits in
// their lists is taken out: objects are made, and kept, until one comes from the allocator. The
// keys of dicts, frames, a slice, contexts and what async generators make go through the lists as
// ever and are reused unseen, and every result says so (Lost::kFreeListsOn).
#include "capture/cpython/free_lists.hpp"
#include "capture/cpython/python_headers.hpp"
#include "capture/cpython/twin_types.hpp"
#include "memory/reserved_array.hpp"

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

bool twins_in_use = false;

void use_twins(bool on) noexcept {
  if (twins_in_use == on) return;
  for (Twin& each : twins) use_twin(each, on);
  twins_in_use = on;
}

constexpr int kTupleSizes = 20;  // of 1 to 19 items, 2000 each, are most of what can be kept
constexpr std::uint32_t kMostKept = 1u << 16;
memory::ReservedArray<PyObject*> kept;  // empty where memory is short: nothing is drained
std::uint32_t kept_count = 0;

PyMemAllocatorEx objects;  // the program's
bool is_fresh = false;     // the allocator was asked

void* allocate(void*, std::size_t bytes) {
  is_fresh = true;
  return objects.malloc(objects.ctx, bytes);
}

// The new one dies again, or there would be one more each time.
void drop_fresh() noexcept {
  if (is_fresh) Py_DECREF(kept[--kept_count]);
}

template <class Make>
void drain(Make make) noexcept {
  is_fresh = false;
  while (!is_fresh && kept_count < kept.capacity()) {
    PyObject* object = make();
    if (object == nullptr) return PyErr_Clear();
    if (PyObject_IS_GC(object)) PyObject_GC_UnTrack(object);  // gc.get_objects need not know
    kept[kept_count++] = object;
  }
}

// A dict with a key takes from two lists: until both are empty.
PyObject* dict_with_keys() noexcept {
  PyObject* dict = PyDict_New();
  bool dict_is_fresh = is_fresh;
  is_fresh = false;
  if (dict != nullptr && PyDict_SetItem(dict, Py_None, Py_None) < 0) Py_CLEAR(dict);
  is_fresh = is_fresh && dict_is_fresh;
  return dict;
}

}  // namespace

void learn_free_lists() noexcept { kept.reserve(kMostKept, 1024); }

void drain_free_lists() noexcept {
  use_twins(true);
  auto& collector = PyInterpreterState_Get()->gc;
  int collecting = collector.collecting;
  collector.collecting = 1;  // no collection now: it would run the program's code
  PyMem_GetAllocator(PYMEM_DOMAIN_OBJ, &objects);
  PyMemAllocatorEx watching = objects;
  watching.malloc = allocate;
  PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &watching);
  drain([] { return PyFloat_FromDouble(0.5); });
  drop_fresh();
  for (Py_ssize_t size = 1; size < kTupleSizes; size++) {
    drain([size] { return PyTuple_New(size); });
    drop_fresh();
  }
  drain([] { return PyList_New(0); });
  drop_fresh();
  drain(dict_with_keys);  // its keys would go to their list
  PyMem_SetAllocator(PYMEM_DOMAIN_OBJ, &objects);
  collector.collecting = collecting;
}

void disable_free_lists() noexcept {}  // drain_free_lists has

void enable_free_lists() noexcept {
  use_twins(false);
  while (kept_count != 0) Py_DECREF(kept[--kept_count]);
}

}  // namespace malloc_tracer::capture::cpython

#endif
