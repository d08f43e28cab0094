// SPDX-License-Identifier: MIT
// Switches to an interpreter with a GIL of its own (CPython 3.12 and newer) where Python code cannot: between two events.
#include <stddef.h>
#include <stdlib.h>

typedef struct {
  int use_main_obmalloc, allow_fork, allow_exec, allow_threads, allow_daemon_threads, check_multi_interp_extensions, gil;
} PyInterpreterConfig;
typedef struct {
  int kind;
  const char *function, *message;
  int exit_code;
} PyStatus;
PyStatus Py_NewInterpreterFromConfig(void **state, const PyInterpreterConfig *config);
void Py_EndInterpreter(void *state);
void *PyThreadState_Swap(void *state);
void *PyMem_Malloc(size_t bytes);
void PyMem_Free(void *p);

static void *other;

// The first thing that happens in the other interpreter is a free, of a block of the main one's.
void free_first_of_all(size_t bytes) {
  void *block = PyMem_Malloc(bytes);
  void *main = PyThreadState_Swap(other);
  PyMem_Free(block);
  PyThreadState_Swap(main);
}

void make_other(void) {
  enum { kOwnGil = 2 };
  PyInterpreterConfig config = {0, 0, 0, 1, 0, 1, kOwnGil};
  void *main = PyThreadState_Swap(NULL);
  PyThreadState_Swap(main);
  if (Py_NewInterpreterFromConfig(&other, &config).kind != 0) abort();
  PyThreadState_Swap(main);
}

void end_other(void) {
  void *main = PyThreadState_Swap(other);
  Py_EndInterpreter(other);
  PyThreadState_Swap(main);
}
