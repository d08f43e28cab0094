"""The histogram of block sizes: every allocation of the scope, and nothing else, by the bit width of its size."""

import gc
import threading

import pytest

import malloc_tracer
from engine import native_helper, result_of
from malloc_tracer import _engine

SIZES = [0, 1, 2, 3, 4, 255, 256, 257, 4095, 4096, 1 << 20]


@pytest.fixture(autouse=True)
def collected():
    yield
    gc.collect()  # a profiled function and its profile hold each other, and an open scope with them


@pytest.fixture(scope="session")
def helper(tmp_path_factory):
    helper = native_helper(tmp_path_factory.mktemp("block_sizes"))
    yield helper
    helper.free_all(0, 0)


def histogram(*sizes):
    widths = [size.bit_length() for size in sizes]
    return [widths.count(width) for width in range(max(widths, default=-1) + 1)]


def added(*counts):
    """Element by element, with the zeros at the end cut off."""
    sums = [sum(each[i] for each in counts if i < len(each)) for i in range(max(map(len, counts)))]
    while sums and sums[-1] == 0:
        sums.pop()
    return sums


def without(counts, others):
    return added(counts, [-count for count in others])


def allocate(helper, times=1):
    for size in SIZES:
        helper.keep_malloc(times, size)


def scope_of(function, *args, threads="all"):
    with malloc_tracer.Scope("sizes", threads) as scope:
        function(*args)
    return scope.trace


def test_each_size_is_counted_at_its_bit_width(helper):
    scope_of(allocate, helper, 1)  # caches of ctypes
    base = scope_of(allocate, helper, 0)
    trace = scope_of(allocate, helper, 3)
    assert without(trace.block_sizes, base.block_sizes) == histogram(*SIZES * 3)
    assert sum(trace.block_sizes) == trace.allocated_count
    assert trace.diff(base).block_sizes == histogram(*SIZES * 3)
    assert base.diff(trace).block_sizes == [-count for count in histogram(*SIZES * 3)]


def test_of_nothing_there_is_none():
    with malloc_tracer.Scope("empty") as scope:
        pass
    assert scope.trace.block_sizes == []


def test_it_is_in_every_form_of_the_trace(helper, tmp_path):
    trace = scope_of(allocate, helper)
    trace.save(tmp_path / "x.json")
    assert malloc_tracer.load(tmp_path / "x.json").block_sizes == trace.block_sizes != []
    assert trace.to_dict()["block_sizes"] == trace.block_sizes
    assert malloc_tracer.merge([trace, trace]).block_sizes == added(trace.block_sizes, trace.block_sizes)


def test_nested_scopes_count_what_happens_in_them(helper):
    def measured(times):
        outer, inner = _engine.ScopeHandle("outer", True), _engine.ScopeHandle("inner", True)
        outer.enter()
        helper.keep_malloc(times, 7)
        inner.enter()
        helper.keep_malloc(2 * times, 100)
        inner.leave()
        helper.keep_malloc(times, 1000)
        outer.leave()
        before = result_of(outer), result_of(inner)
        inner.end()  # what it held belongs to the outer one alone now
        after = result_of(outer)
        outer.end()
        return [data.block_sizes for data in (*before, after)]

    measured(1)  # caches of ctypes
    nothing, something = measured(0), measured(5)
    outer, inner, after = (without(some, none) for some, none in zip(something, nothing))
    assert inner == histogram(*[100] * 10)
    assert outer == after == histogram(*[7] * 5, *[100] * 10, *[1000] * 5)


def test_a_suspended_scope_counts_only_while_it_is_active(helper):
    @malloc_tracer.profile
    def profiled(times):
        helper.keep_malloc(times, 5000)

    def measured(times):
        profiled.profile.reset()
        for _ in range(3):
            profiled(times)
            helper.keep_malloc(4, 70_000)
        trace = profiled.profile.trace()
        assert sum(trace.block_sizes) == trace.allocated_count
        return trace.block_sizes

    measured(1)
    assert without(measured(2), measured(0)) == histogram(*[5000] * 6)


def test_every_thread_is_counted_and_only_the_scopes_own_if_asked():
    def work(times):
        return [bytes(3000) for _ in range(times)]

    def measured(times, which):
        threads = [threading.Thread(target=work, args=(times,)) for _ in range(4)]
        with malloc_tracer.Scope("threads", which) as scope:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sum(scope.trace.block_sizes) == scope.trace.allocated_count
        return scope.trace.block_sizes

    measured(1, "all")
    assert without(measured(100, "all"), measured(0, "all"))[12] == 400
    assert sum(measured(100, "current")[12:13]) == sum(measured(0, "current")[12:13])
