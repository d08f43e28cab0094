"""Libraries that come and go while a scope is open, found as the loader would find them without us."""

from __future__ import annotations

import ctypes
import subprocess

import pytest

from engine import allocator, check, compiler, kept, nonzero, trace_block, trace_call
from test_engine_process import ONE_BLOCK, block

INNER = r"""
#include <pthread.h>
#include <stdlib.h>
static void *works(void *bytes) {
  for (int i = 0; i < 100; i++) free(malloc((long)bytes));
  return malloc((long)bytes);
}
/* Four threads at once, each of which leaves one block; they are gone when it returns. */
void works_in_threads(void **kept, long bytes) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++)
    if (pthread_create(&threads[i], NULL, works, (void *)bytes) != 0) abort();
  for (int i = 0; i < 4; i++) pthread_join(threads[i], &kept[i]);
}
"""

OUTER = r"""
#include <dlfcn.h>
#include <stdlib.h>
static void *kept[4 * 1000];
static int rounds;
/* Only this library's own RUNPATH leads to libinner.so. */
void loads_and_unloads(int count, long bytes) {
  for (int i = 0; i < count; i++, rounds++) {
    void *inner = dlopen("libinner.so", RTLD_NOW);
    if (inner == NULL) abort();
    void (*works)(void **, long) = dlsym(inner, "works_in_threads");
    works(kept + 4 * rounds, bytes);
    dlclose(inner);
    if (dlopen("libinner.so", RTLD_NOW | RTLD_NOLOAD) != NULL) abort(); /* it is gone, whatever we hold of it */
  }
}
void frees_all(void) {
  while (rounds > 0)
    for (int i = 0, at = 4 * --rounds; i < 4; i++) free(kept[at + i]);
}
"""


@pytest.fixture(scope="module")
def outer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("libraries")
    (folder / "deeper").mkdir()
    (folder / "inner.c").write_text(INNER)
    (folder / "outer.c").write_text(OUTER)
    command = [compiler("cc", "gcc", "clang"), "-fno-builtin", "-fPIC", "-shared", "-pthread", "-w"]
    subprocess.run([*command, "inner.c", "-o", "deeper/libinner.so"], cwd=folder, check=True)
    runpath = "-Wl,--enable-new-dtags,-rpath,$ORIGIN/deeper"
    subprocess.run([*command, runpath, "outer.c", "-o", "libouter.so", "-ldl"], cwd=folder, check=True)
    return ctypes.CDLL(str(folder / "libouter.so"))


def test_a_library_that_starts_threads_is_loaded_and_unloaded_in_a_loop(outer):
    outer.loads_and_unloads(1, 0)  # what the loader keeps for good
    outer.frees_all()
    data, _ = trace_block(lambda: outer.loads_and_unloads(50, 3000))
    malloc = allocator(check(data), "malloc")
    assert (malloc["live_count"], malloc["live_bytes"]) == (50 * 4, 50 * 4 * 3000)
    again, _ = trace_block(lambda: (outer.frees_all(), outer.loads_and_unloads(50, 3000)))
    malloc = allocator(check(again), "malloc")
    assert (malloc["live_count"], malloc["live_bytes"]) == (50 * 4, 50 * 4 * 3000)
    # Beside these the loader's own, which newer C libraries take from malloc: the same number each time.
    loaders = malloc["allocated_count"] - 50 * 4 * 101
    assert loaders in range(0, 50 * 10, 50)
    outer.frees_all()
    assert nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK == kept(1, ONE_BLOCK["live_bytes"])
