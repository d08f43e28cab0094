"""The tools that overhead.py compares, each a context manager, and the timing of a workload under one of them.

Every function here, and those of overhead.py that call it, is short on purpose: tracemalloc translates instruction to
line for each frame of each event, at a cost that grows with the length of the function. Called from the end of a long
one it looks five times slower than it is.
"""

from __future__ import annotations

import contextlib
import gc
import os
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

Tool = Callable[[], contextlib.AbstractContextManager[None]]
last_scope: Any = None


@contextlib.contextmanager
def untraced() -> Iterator[None]:
    yield


@contextlib.contextmanager
def ours() -> Iterator[None]:
    import malloc_tracer

    global last_scope
    last_scope = malloc_tracer.Scope("benchmark")
    with last_scope:
        yield


def with_tracemalloc(frames: int) -> Tool:
    @contextlib.contextmanager
    def tool() -> Iterator[None]:
        tracemalloc.start(frames)
        try:
            yield
        finally:
            tracemalloc.stop()

    return tool


def with_memray(python_allocators: bool) -> Tool:
    # In memory and uncompressed: the disk is not what we compare with.
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None

    @contextlib.contextmanager
    def tool() -> Iterator[None]:
        import memray

        with tempfile.TemporaryDirectory(dir=memory) as folder:
            path = os.path.join(folder, "memray.bin")
            destination = memray.FileDestination(path, overwrite=True, compress_on_exit=False)
            with memray.Tracker(destination=destination, trace_python_allocators=python_allocators):
                yield

    return tool


TOOLS: dict[str, Tool] = {
    "untraced": untraced,
    "ours": ours,
    "tracemalloc1": with_tracemalloc(1),
    "tracemalloc25": with_tracemalloc(25),
    "memray": with_memray(False),
    "memray-python": with_memray(True),
}


def timed(workload: Callable[[], Any], tool: Tool) -> float:
    """Seconds of the workload and of dropping what it made; opening and closing the tool is not timed."""
    gc.collect()
    with tool():
        return run(workload)


def run(workload: Callable[[], Any]) -> float:
    started = perf_counter()
    result = workload()
    del result
    return perf_counter() - started
