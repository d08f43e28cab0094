"""Many scopes, long scopes, deep and wide call trees: nothing grows that need not."""

from __future__ import annotations

import gc
import resource
import sys
from pathlib import Path

import pytest

import malloc_tracer
from engine import check, native_helper, nodes, own_lines, trace_block, trace_call

HEAD = b"".__sizeof__()


def rss():
    """Resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def leaf(size):
    return b"x" * size


def growth(run, rounds):
    """How much `run` lets the process grow after it has warmed up."""
    run(rounds // 4)
    gc.collect()
    before = rss()
    run(rounds)
    gc.collect()
    return rss() - before


def test_ten_thousand_scopes_leave_no_memory_behind():
    def run(count):
        for _ in range(count):
            with malloc_tracer.Scope("x"):
                leaf(100)

    assert growth(run, 10_000) < 1 << 20


def test_a_hundred_thousand_inner_scopes_leave_no_memory_behind():
    def run(count):
        for _ in range(count):
            with malloc_tracer.Scope("inner"):
                pass

    with malloc_tracer.Scope("outer") as scope:
        assert growth(run, 100_000) < 1 << 20
    assert scope.trace.lost == {}


def test_a_thousand_scopes_open_at_once():
    scopes = [malloc_tracer.Scope(f"s{i}") for i in range(1000)]
    kept = []
    for scope in scopes:
        scope.__enter__()
        kept.append(leaf(1000))
    for scope in reversed(scopes):
        scope.__exit__(None, None, None)
    for i in (0, 1, 500, 999):
        trace = scopes[i].trace
        assert trace.lost == {}
        line = trace.line(leaf, leaf.__code__.co_firstlineno + 1).self
        assert (line.live_count, line.live_bytes) == (1000 - i, (1000 - i) * (1000 + HEAD))


def test_a_generator_that_is_suspended_very_often_does_not_grow():
    @malloc_tracer.profile
    def numbers(count):
        for i in range(count):
            yield b"x" * (100 + i % 3)

    def run(count):
        for _ in numbers(count):
            pass

    assert growth(run, 200_000) < 1 << 20
    trace = numbers.profile.trace()
    line = trace.line(numbers, numbers.__code__.co_firstlineno + 3).self
    assert 0 <= line.allocated_count - 250_000 <= (2 if sys.version_info < (3, 11) else 0)  # a collection's, on 3.10
    assert line.live_count == 0
    assert trace.lost == {}
    del numbers, run
    gc.collect()  # its scope is open as long as the function lives; later tests start without one


def test_long_churn_takes_memory_for_live_blocks_and_paths_only():
    def run(count):
        kept = [leaf(10)] * 100
        for i in range(count):
            kept[i % 100] = leaf(i % 1000)

    with malloc_tracer.Scope("churn") as scope:
        assert growth(run, 1_000_000) < 1 << 20
    line = scope.trace.line(leaf, leaf.__code__.co_firstlineno + 1).self
    assert line.live_count == 0
    assert line.allocated_count >= 1_000_000


def test_a_hundred_thousand_call_paths():
    def branch(depth, kept):
        if depth == 0:
            kept.append(bytes(100))
            return
        for i in range(10):
            if i == 0:
                branch(depth - 1, kept)
            elif i == 1:
                branch(depth - 1, kept)
            elif i == 2:
                branch(depth - 1, kept)
            elif i == 3:
                branch(depth - 1, kept)
            elif i == 4:
                branch(depth - 1, kept)
            elif i == 5:
                branch(depth - 1, kept)
            elif i == 6:
                branch(depth - 1, kept)
            elif i == 7:
                branch(depth - 1, kept)
            elif i == 8:
                branch(depth - 1, kept)
            else:
                branch(depth - 1, kept)

    kept = []
    data, _ = trace_block(lambda: branch(5, kept))
    assert data.lost == {}
    leaves = [node for node in nodes(data) if node.frame.line == branch.__code__.co_firstlineno + 2]
    assert len(leaves) == 100_000
    assert sum(node.self.live_bytes for node in leaves) - 100_000 * (100 + HEAD) >= 0
    assert own_lines(data, branch)[2].self.live_count >= 100_000


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python calls take C stack before 3.11")
def test_recursion_fifty_thousand_deep():
    def down(depth, kept):
        kept.append(bytes(64))
        if depth:
            down(depth - 1, kept)

    kept = []
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(60_000)
    try:
        data, _ = trace_call(down, 49_999, kept)
    finally:
        sys.setrecursionlimit(before)
    assert data.lost == {}
    line = own_lines(data, down)[1].self
    assert line.allocated_count - line.reallocated_count >= 50_000
    assert line.live_bytes >= 50_000 * (64 + HEAD)
    assert sum(1 for _ in nodes(data)) >= 50_000


def test_sizes_from_nothing_to_eight_gibibytes(tmp_path):
    helper = native_helper(tmp_path)
    for size in (0, 1, 8, 2**31, 2**33):
        helper.keep_malloc.argtypes = None
        data, _ = trace_block(lambda size=size: helper.keep_malloc(1, __import__("ctypes").c_long(size)))
        check(data)
        helper.free_all(0, 0)
        sizes = [(a.self.live_bytes, a.self.live_count) for a in data.allocators if a.name == "malloc"]
        assert sizes == [(size, 1)]
