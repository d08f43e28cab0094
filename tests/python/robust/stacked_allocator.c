// SPDX-License-Identifier: MIT
// Another user of PyMem_SetAllocator, as tracers, sanitizers and fault injectors are: counts what passes and hands it on.
#include <stddef.h>

typedef struct {
  void *ctx;
  void *(*malloc)(void *ctx, size_t size);
  void *(*calloc)(void *ctx, size_t count, size_t size);
  void *(*realloc)(void *ctx, void *p, size_t size);
  void (*free)(void *ctx, void *p);
} Allocator;
void PyMem_GetAllocator(int domain, Allocator *allocator);
void PyMem_SetAllocator(int domain, Allocator *allocator);

static Allocator below[3];
static long calls;
static int fail_in = -1;

static int fails(void) {
  return fail_in >= 0 && fail_in-- == 0;
}
static void *counting_malloc(void *ctx, size_t size) {
  Allocator *next = ctx;
  __sync_fetch_and_add(&calls, 1);
  return fails() ? NULL : next->malloc(next->ctx, size);
}
static void *counting_calloc(void *ctx, size_t count, size_t size) {
  Allocator *next = ctx;
  __sync_fetch_and_add(&calls, 1);
  return fails() ? NULL : next->calloc(next->ctx, count, size);
}
static void *counting_realloc(void *ctx, void *p, size_t size) {
  Allocator *next = ctx;
  __sync_fetch_and_add(&calls, 1);
  return fails() ? NULL : next->realloc(next->ctx, p, size);
}
static void counting_free(void *ctx, void *p) {
  Allocator *next = ctx;
  __sync_fetch_and_add(&calls, 1);
  next->free(next->ctx, p);
}

void stack(void) {
  for (int domain = 0; domain < 3; domain++) {
    Allocator ours = {&below[domain], counting_malloc, counting_calloc, counting_realloc, counting_free};
    PyMem_GetAllocator(domain, &below[domain]);
    PyMem_SetAllocator(domain, &ours);
  }
}
// As every such user does: puts back what it found, whatever has come on top since.
void unstack(void) {
  for (int domain = 0; domain < 3; domain++) PyMem_SetAllocator(domain, &below[domain]);
}
long passed(void) { return calls; }
// The allocation after `count` others fails; -1: none.
void fail_after(int count) { fail_in = count; }
