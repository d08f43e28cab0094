"""Scopes straight from the engine, for the tests of what it counts."""

from __future__ import annotations

import ctypes
import platform
import re
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from malloc_tracer import _engine


def result_of(handle: _engine.ScopeHandle) -> _engine.TraceData:
    return handle.peek(platform.python_version(), [], {}, [])


def trace_call(function: Callable[..., Any], *args: Any, all_threads: bool = True) -> tuple[_engine.TraceData, Any]:
    """The activations of a Python function during one call, and what it returned."""
    handle = _engine.ScopeHandle(function.__name__, all_threads)
    result = handle.run(function, args, None, function)
    return result_of(handle), result


def trace_block(body: Callable[[], Any], all_threads: bool = True) -> tuple[_engine.TraceData, Any]:
    """The whole call of `body`, its caller's frame excluded."""
    handle = _engine.ScopeHandle("block", all_threads)
    result = handle.run(body, (), None, None)
    return result_of(handle), result


def named(path: str) -> str:
    """A path of qualified names as this interpreter has it: before 3.11 code knows its bare name only."""
    if sys.version_info >= (3, 11):
        return path
    return " > ".join(name.rpartition(".")[2] for name in path.split(" > "))


def own_lines(data: _engine.TraceData, function: Callable[..., Any]) -> dict[int, _engine.Line]:
    """The lines of a function's file that hold something, by their distance from its `def`."""
    code = function.__code__
    return {line.number - code.co_firstlineno: line for line in data.lines if line.file == code.co_filename}


COUNTERS = (
    "live_bytes",
    "live_count",
    "peak_bytes",
    "peak_count",
    "allocated_bytes",
    "allocated_count",
    "freed_bytes",
    "freed_count",
    "temporary_count",
    "reallocated_count",
)


def numbers(counters: _engine.Counters) -> dict[str, int]:
    return {name: getattr(counters, name) for name in COUNTERS}


def nonzero(counters: _engine.Counters) -> dict[str, int]:
    return {name: value for name, value in numbers(counters).items() if value}


def nodes(data: _engine.TraceData) -> Iterator[_engine.Node]:
    """All nodes of the call tree, each after its parent."""
    waiting = [data.root]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.children


def path_of(node: _engine.Node | None) -> list[str]:
    """The function names from the scope's own frame down to a node; the root is nameless."""
    names: list[str] = []
    while node is not None and node.parent is not None:
        names.append(node.frame.function.rpartition("<locals>.")[2])
        node = node.parent
    return names[::-1]


def paths(data: _engine.TraceData) -> set[str]:
    """The paths at which something was allocated, "outer > inner"."""
    return {" > ".join(path_of(node)) for node in nodes(data) if node.self.allocated_count}


def _sum(parts: Iterable[_engine.Counters]) -> dict[str, int]:
    parts = list(parts)
    return {name: sum(getattr(part, name) for part in parts) for name in COUNTERS}


def lost(data: _engine.TraceData) -> dict[str, int]:
    """What was lost, but for what every result of 3.9 says."""
    return {what: count for what, count in data.lost.items() if "3.9 cannot switch its free lists off" not in what}


def check(data: _engine.TraceData) -> _engine.TraceData:
    """The rules that every result keeps (api.md, "They add up"); gives the result back."""
    assert lost(data) == {}
    whole = numbers(data.sum)
    for which in ("lines", "functions", "files", "threads", "allocators"):
        assert _sum(item.self for item in getattr(data, which)) == whole, which
    assert _sum(node.self for node in nodes(data)) == whole, "nodes"
    assert numbers(data.root.total) == whole
    for node in nodes(data):
        assert _sum([node.self, *(child.total for child in node.children)]) == numbers(node.total), path_of(node)
    items = [item for which in ("lines", "functions", "files") for item in getattr(data, which)]
    for counters in [data.sum, *(item.self for item in items), *(item.total for item in items)]:
        assert counters.live_bytes == counters.allocated_bytes - counters.freed_bytes
        assert counters.live_count == counters.allocated_count - counters.freed_count
        assert counters.peak_bytes <= counters.allocated_bytes
        assert counters.peak_count <= counters.allocated_count
        assert counters.temporary_count <= counters.freed_count
        assert counters.reallocated_count <= counters.allocated_count
    for item in items:
        assert all(own <= all_ for own, all_ in zip(numbers(item.self).values(), numbers(item.total).values()))
        assert all(all_ <= sum_ for all_, sum_ in zip(numbers(item.total).values(), whole.values()))
    assert data.sum.live_bytes <= data.sum.peak_bytes
    assert max((live for _, live in data.timeline), default=0) <= data.sum.peak_bytes
    assert sum(data.block_sizes) == data.sum.allocated_count
    return data


def allocator(data: _engine.TraceData, name: str) -> dict[str, int]:
    """The ten numbers of an allocator, zeros left out."""
    return next((nonzero(item.self) for item in data.allocators if item.name == name), {})


def kept(count: int, bytes_each: int) -> dict[str, int]:
    """The numbers of `count` blocks that are allocated and stay."""
    total = count * bytes_each
    return {
        "live_bytes": total,
        "live_count": count,
        "peak_bytes": total,
        "peak_count": count,
        "allocated_bytes": total,
        "allocated_count": count,
    }


def compiler(*names: str) -> str:
    """The first of these compilers that is here; skips the test if none is."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("needs a compiler")
    return found


def compiled(source: Path, folder: Path) -> Path:
    """A shared library of a C or C++ file; skips the test where there is no compiler."""
    names = ("c++", "g++", "clang++") if source.suffix == ".cpp" else ("cc", "gcc", "clang")
    library = folder / f"{source.stem}.so"
    flags = ["-O1", "-fno-builtin", "-fPIC", "-shared", "-pthread", "-w"]
    subprocess.run([compiler(*names), *flags, "-o", library, source], check=True)
    return library


def native_helper(folder: Path) -> ctypes.CDLL:
    """tests/python/native_helper.c, whose functions take (count, bytes) and return nothing."""
    library = ctypes.CDLL(str(compiled(Path(__file__).with_name("native_helper.c"), folder)))
    for name in re.findall(r"(?m)^(?:void |KEEPS\()(\w+)", Path(__file__).with_name("native_helper.c").read_text()):
        getattr(library, name).restype = None
    return library


def tracemalloc_lines(program: Callable[[], Any], file: str) -> dict[int, tuple[int, int]]:
    """Live bytes and blocks of a file's lines, as tracemalloc says.

    The interpreter's free lists are off (a scope is open), so that it sees what we see.
    """
    handle = _engine.ScopeHandle("free lists off", True)
    handle.enter()
    tracemalloc.start()
    result = program()
    snapshot = tracemalloc.take_snapshot()
    tracemalloc.stop()
    handle.leave()
    del result
    return {
        statistic.traceback[0].lineno: (statistic.size, statistic.count)
        for statistic in snapshot.statistics("lineno")
        if statistic.traceback[0].filename == file
    }
