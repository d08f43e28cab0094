// SPDX-License-Identifier: MIT
// The native half of accuracy.py: an extension module whose functions take (count, bytes), make the calls written here and in
// tests/python/native_helper.c, and no Python object. Compiled with -fno-builtin, so that every call written is made.
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tests/python/native_helper.c"

// What a program leaves alive beside native_helper.c's `kept`, each with its own way to go.
static void *python_blocks[MOST];
static int python_count;

// One block of each domain in turn.
static void keep_python(int count, long bytes) {
  for (int i = 0; i < count; i++) {
    void *p = i % 3 == 0 ? PyMem_RawMalloc(bytes) : i % 3 == 1 ? PyMem_Malloc(bytes) : PyObject_Malloc(bytes);
    if (p == NULL || python_count == MOST) abort();
    python_blocks[python_count++] = p;
  }
}
// From pymalloc's sizes to malloc's or back.
static void resize_python(int count, long bytes) {
  for (int i = 0; i < count; i++) {
    void *p = python_blocks[i];
    p = i % 3 == 0 ? PyMem_RawRealloc(p, bytes) : i % 3 == 1 ? PyMem_Realloc(p, bytes) : PyObject_Realloc(p, bytes);
    if (p == NULL) abort();
    python_blocks[i] = p;
  }
}
static void free_python(int count, long bytes) {
  (void)count;
  (void)bytes;
  for (int i = 0; i < python_count; i++) {
    void *p = python_blocks[i];
    i % 3 == 0 ? PyMem_RawFree(p) : i % 3 == 1 ? PyMem_Free(p) : PyObject_Free(p);
  }
  python_count = 0;
}

// C++'s operators by their mangled names: new(unsigned long), delete(void*).
extern void *_Znwm(unsigned long);
extern void _ZdlPv(void *);
static void *objects[MOST];
static int object_count;
static void keep_new(int count, long bytes) {
  for (int i = 0; i < count; i++) objects[object_count++] = _Znwm(bytes);
}
static void delete_all(int count, long bytes) {
  (void)count;
  (void)bytes;
  while (object_count > 0) _ZdlPv(objects[--object_count]);
}

static void keep_malloc_without_the_gil(int count, long bytes) {
  Py_BEGIN_ALLOW_THREADS
  keep_malloc(count, bytes);
  Py_END_ALLOW_THREADS
}

// Threads that grow and free blocks in one arena (see PyInit): an address passes from one to the other at once. Of every ten rounds one
// leaves a block.
static void *reallocs(void *unused) {
  (void)unused;
  pthread_barrier_wait(&go);
  for (int i = 0; i < work.count; i++) {
    void *p = realloc(malloc(work.bytes), work.bytes * (2 + i % 7));
    if (p == NULL) abort();
    free(p);
    if (i % 10 == 0) kept[__sync_fetch_and_add(&kept_count, 1)] = malloc(work.bytes);
  }
  return NULL;
}
static void race_of_reallocs(int count, long bytes) {
  work = (struct work){count, bytes, 0};
  thread_count = 8;
  pthread_barrier_init(&go, NULL, thread_count + 1);
  for (int i = 0; i < thread_count; i++) {
    if (pthread_create(&threads[i], NULL, reallocs, NULL) != 0) abort();
  }
  join_threads(0, 0);
}

// One thread after the other, each of which allocates and frees in the destructor of a thread key.
static pthread_key_t key;
static void at_thread_exit(void *bytes) {
  void *p = malloc((size_t)bytes);
  if (p == NULL) abort();
  free(p);
}
static void *sets_the_key(void *bytes) {
  pthread_setspecific(key, bytes);
  return NULL;
}
static void thread_exits(int count, long bytes) {
  pthread_t thread;
  for (int i = 0; i < count; i++) {
    if (pthread_create(&thread, NULL, sets_the_key, (void *)bytes) != 0) abort();
    pthread_join(thread, NULL);
  }
}

// What the child allocates is its own.
static void forks(int count, long bytes) {
  pid_t child = fork();
  if (child == 0) {
    keep_malloc(count, bytes);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

// Mappings. `place` is address space from before the scope, for mappings that are neighbours.
static char *mapping;
static long mapping_bytes;
static char *place;
static void keep_mapping(int count, long bytes) {
  (void)count;
  mapping = map(mapping_bytes = bytes);
  if (mapping == NULL) abort();
}
static void drop_mapping(int count, long bytes) {
  (void)count;
  (void)bytes;
  munmap(mapping, mapping_bytes);
}
// Cuts `count` holes of `bytes` bytes, every second one from the start.
static void cut_mapping(int count, long bytes) {
  for (int i = 0; i < count; i++) munmap(mapping + 2 * i * bytes, bytes);
}
static void remap_mapping(int count, long bytes) {
  (void)count;
  mapping = mremap(mapping, mapping_bytes, bytes, MREMAP_MAYMOVE);
  if (mapping == MAP_FAILED) abort();
  mapping_bytes = bytes;
}
static void unmap_wrongly(int count, long bytes) {
  (void)count;
  if (munmap(mapping + 1, bytes) == 0) abort();
}
static void make_place(int count, long bytes) {
  place = mmap(NULL, count * bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) abort();
}
static void fill_place(int count, long bytes) {
  for (int i = 0; i < count; i++) {
    char *want = place + i * bytes;
    if (mmap(want, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != want) abort();
  }
}
static void unmap_place(int count, long bytes) {
  if (munmap(place, count * bytes) != 0) abort();
}

// ACCURACY_FOLDER has native_helper.c as a library of its own, and accuracy_constructor.c with a constructor that allocates or does
// nothing.
static void *library;
static void load(const char *path) {
  library = dlopen(path, RTLD_NOW);
  if (library == NULL) abort();
}
static void load_and_call(int count, long bytes) {
  load(ACCURACY_FOLDER "/native_helper.so");
  void (*keeps)(int, long) = (void (*)(int, long))dlsym(library, "keep_malloc");
  keeps(count, bytes);
}
static void free_and_unload(int count, long bytes) {
  void (*frees)(int, long) = (void (*)(int, long))dlsym(library, "free_all");
  frees(count, bytes);
  dlclose(library);
}
static void load_constructor(int count, long bytes) {
  (void)count;
  (void)bytes;
  load(ACCURACY_FOLDER "/accuracy_constructor.so");
}
static void load_helper(int count, long bytes) {
  (void)count;
  (void)bytes;
  load(ACCURACY_FOLDER "/native_helper.so");
}
static void load_idle_constructor(int count, long bytes) {
  (void)count;
  (void)bytes;
  load(ACCURACY_FOLDER "/idle_for_constructor.so");
}
static void unload(int count, long bytes) {
  (void)count;
  (void)bytes;
  dlclose(library);
}

#define FUNCTIONS(X) \
  X(free_all) X(keep_malloc) X(keep_calloc) X(keep_realloc) X(keep_reallocarray) X(keep_posix_memalign) X(keep_aligned_alloc) \
  X(keep_memalign) X(keep_valloc) X(keep_strdup) X(churn_malloc) X(mountain) X(resize_all) X(resize_all_to_nothing) \
  X(fail_everything) X(run_threads) X(free_all_in_a_thread) X(keep_mappings) X(unmap_all) X(keep_python) X(resize_python) \
  X(free_python) X(keep_new) X(delete_all) X(keep_malloc_without_the_gil) X(race_of_reallocs) X(thread_exits) \
  X(keep_mapping) X(drop_mapping) X(cut_mapping) X(remap_mapping) X(unmap_wrongly) X(make_place) X(fill_place) \
  X(unmap_place) X(forks) X(load_and_call) X(free_and_unload) \
  X(load_constructor) X(load_idle_constructor) X(load_helper) X(unload)

#define WRAPPER(name) \
  static PyObject *call_##name(PyObject *self, PyObject *const *arguments, Py_ssize_t count) { \
    (void)self; \
    if (count != 2) return PyErr_Format(PyExc_TypeError, #name "(count, bytes)"); \
    name((int)PyLong_AsLong(arguments[0]), PyLong_AsLong(arguments[1])); \
    Py_RETURN_NONE; \
  }
#define METHOD(name) {#name, (PyCFunction)(void (*)(void))call_##name, METH_FASTCALL, NULL},

FUNCTIONS(WRAPPER)
static PyMethodDef methods[] = {FUNCTIONS(METHOD){NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "accuracy_native", NULL, -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_accuracy_native(void) {
  pthread_key_create(&key, at_thread_exit);
  mallopt(M_ARENA_MAX, 1);
  PyObject* made = PyModule_Create(&module);
#ifdef Py_GIL_DISABLED
  if (made != NULL) PyUnstable_Module_SetGIL(made, Py_MOD_GIL_NOT_USED);
#endif
  return made;
}
