"""An address that passes to another thread *while* the real call that gives it up is still running.

A preloaded allocator calls back from inside free and realloc, when the block is gone already; the callback lets another
thread allocate until it has that address. A record taken after the real call would be the other thread's.
"""

from __future__ import annotations

import subprocess

import pytest

from engine import compiler
from test_engine_process import program, python

SIZE = 3000  # too large for the C library's caches of each thread

PRELOADED = r"""
#include <stddef.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
void *handed;
void (*meanwhile)(void);
static void hand_over(void *p) {
  if (p == NULL || p != handed) return;
  handed = NULL;
  meanwhile();
}
void *malloc(size_t bytes) { return __libc_malloc(bytes); }
void *calloc(size_t count, size_t bytes) { return __libc_calloc(count, bytes); }
void free(void *p) {
  __libc_free(p);
  hand_over(p);
}
void *realloc(void *p, size_t bytes) {
  void *q = __libc_realloc(p, bytes);
  if (q != p) hand_over(p);
  return q;
}
"""

HELPER = r"""
#include <pthread.h>
#include <stdlib.h>
extern void *handed;
extern void (*meanwhile)(void);
static void *wanted, *taken, *grown, *tries[1000];
static int tried;
static void *takes(void *bytes) {
  for (tried = 0; tried < 1000; tried++)
    if ((tries[tried] = malloc((long)bytes)) == wanted) break;
  if (tried == 1000) abort();
  for (int i = 0; i < tried; i++) free(tries[i]);
  taken = wanted;
  return NULL;
}
static long size;
static void in_a_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, takes, (void *)size) != 0) abort();
  pthread_join(thread, NULL);
}
/* A block among others, so that it stays where it is when it is free, and cannot grow there. */
static void *begin(long bytes) {
  void *blocks[100];
  for (int i = 0; i < 100; i++) blocks[i] = malloc(bytes);
  size = bytes;
  meanwhile = in_a_thread;
  handed = wanted = blocks[90];
  return wanted;
}
int by_free(long bytes) {
  free(begin(bytes));
  return tried;
}
int by_realloc(long bytes) {
  grown = realloc(begin(bytes), 5 * bytes);
  return tried;
}
void free_taken(void) { free(taken); }
"""


@pytest.fixture(scope="module")
def libraries(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handed")
    (folder / "preloaded.c").write_text(PRELOADED)
    (folder / "helper.c").write_text(HELPER)
    command = [compiler("cc", "gcc", "clang"), "-fno-builtin", "-fPIC", "-shared", "-pthread", "-w"]
    subprocess.run([*command, "preloaded.c", "-o", "libpreloaded.so"], cwd=folder, check=True)
    subprocess.run([*command, "helper.c", "-o", "libhelper.so"], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("way", ["by_free", "by_realloc"])
def test_a_record_is_never_another_threads(libraries, way):
    grown = int(way == "by_realloc")
    output = python(
        program(f"""
        import ctypes
        from engine import allocator
        helper = ctypes.CDLL({str(libraries / "libhelper.so")!r})
        tried = []
        data, _ = trace_block(lambda: tried.append(helper.{way}({SIZE})))
        malloc = allocator(check(data), "malloc")
        print(malloc["live_bytes"], malloc["live_count"], malloc["allocated_count"] - tried[0])
        data, _ = trace_block(helper.free_taken)
        print(nonzero(data.sum))
        """),
        LD_PRELOAD=str(libraries / "libpreloaded.so"),
        MALLOC_ARENA_MAX="1",
    )
    # Alive are the 99 around it, the other thread's, and the grown one; `tried` counts all but the last try.
    assert output == f"{100 * SIZE + grown * 5 * SIZE} {100 + grown} {101 + grown}\n{{}}\n"
