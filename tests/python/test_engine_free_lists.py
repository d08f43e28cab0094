"""The interpreter's free lists hide nothing while a scope is open, and work again afterwards."""

from __future__ import annotations

import contextvars
import gc
import sys
from pathlib import Path

import pytest

from engine import check, own_lines, result_of, trace_block, trace_call
from malloc_tracer import _engine
from sizes import OLD_LISTS

ONE = 1
HALF = 0.5


def floats():
    return [HALF + i for i in range(20)]


def lists():
    return [[] for _ in range(20)]


def tuples():
    return [(i, i) for i in range(20)]


def dicts():
    return [{} for _ in range(20)]


def slices():
    return [slice(i, i) for i in range(20)]


def contexts():
    return [contextvars.Context() for _ in range(20)]


def filled_dicts():
    return [{i: i} for i in range(20)]


# Program, events of its line beside the list's own, of which one is the list and some its growth.
PROGRAMS = [
    (floats, 20),
    (lists, 20),
    (tuples, 20),
    (dicts, 20),
    (slices, 20),
    (filled_dicts, 40),  # a dict and its keys
][: 4 if OLD_LISTS else None]


def live(data, program):
    return own_lines(check(data), program)[1].total.live_count


def warm(program):
    """Fills the free lists."""
    for _ in range(5):
        program()


@pytest.mark.parametrize(("program", "count"), PROGRAMS, ids=lambda value: getattr(value, "__name__", None))
def test_objects_made_after_a_warm_up_are_each_seen(program, count):
    warm(program)
    data, it = trace_call(program)
    assert live(data, program) == count + 2  # the list and its items
    del it


def test_contexts_are_each_seen():
    warm(contexts)
    data, it = trace_call(contexts)
    if OLD_LISTS:
        assert live(data, contexts) == 2  # the list and its items; of contexts it keeps up to 255
        return
    per_context = sys.getsizeof(it[0])
    assert own_lines(check(data), contexts)[1].total.live_bytes >= 20 * per_context
    assert live(data, contexts) >= 20 + 2
    again, it2 = trace_call(contexts)
    assert live(again, contexts) == live(data, contexts)
    del it, it2


@pytest.mark.parametrize(("program", "count"), PROGRAMS, ids=lambda value: getattr(value, "__name__", None))
def test_objects_made_right_after_the_same_ones_died_are_each_seen(program, count):
    def run():
        program()
        program()
        return program()

    warm(run)
    data, it = trace_call(run)
    assert live(data, program) == count + 2
    line = own_lines(data, program)[1].total
    assert line.freed_count >= 2 * (count + 2)
    assert line.allocated_count == line.freed_count + count + 2
    del it


@pytest.mark.parametrize(("program", "count"), PROGRAMS, ids=lambda value: getattr(value, "__name__", None))
def test_a_collection_inside_the_scope_does_not_turn_the_lists_on(program, count):
    def run():
        program()
        gc.collect()
        program()
        gc.collect()
        program()
        return program()

    warm(run)
    data, it = trace_block(run)
    line = own_lines(check(data), program)[1].total
    assert line.allocated_count == 4 * one_run(program)
    del it


def one_run(program):
    data, it = trace_call(program)
    del it
    return own_lines(check(data), program)[1].total.allocated_count


class Finalizer:
    """Part of a cycle; makes and drops objects of every kind while the collector runs."""

    kept = []

    def __init__(self):
        self.me = self

    def __del__(self):
        for program, _ in PROGRAMS:
            program()
            Finalizer.kept.append(program())


def test_finalizers_that_allocate_during_a_collection():
    def run():
        Finalizer()
        gc.collect()
        for program, _ in PROGRAMS:
            program()
            Finalizer.kept.append(program())

    warm(run)
    Finalizer.kept.clear()
    data, _ = trace_block(run)
    check(data)
    for program, count in PROGRAMS:
        line = own_lines(data, program)[1].total
        assert line.allocated_count == 4 * one_run(program), program.__name__
        assert line.live_count == 2 * (count + 2), program.__name__
    Finalizer.kept.clear()


async def numbered():
    for i in range(20):
        yield i


async def consume():
    async for _ in numbered():
        pass


def finish(coroutine):
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")


def test_items_of_an_async_generator_are_each_seen():
    def run():
        finish(consume())

    warm(run)
    data, _ = trace_block(run)
    sizes = [own_lines(check(data), function) for function in (numbered, consume)]
    if OLD_LISTS:
        assert 2 not in sizes[0]  # all are reused unseen: it keeps up to 80 of each type
        return
    wrapped = sizes[0][2].self  # yield: one wrapped value for each
    assert wrapped.allocated_count == 20
    steps = sizes[1][1].self  # async for: one __anext__() for each, and the generator
    assert steps.allocated_count >= 21
    again, _ = trace_block(run)
    assert own_lines(again, consume)[1].self.allocated_count == steps.allocated_count


@pytest.mark.skipif(not OLD_LISTS, reason="only 3.9 reuses anything unseen")
def test_what_3_9_reuses_of_dicts_and_slices():
    """One slice that was there before; and tables of keys, up to 80, but only a scope's own."""
    warm(slices)
    data, it = trace_call(slices)
    assert live(data, slices) == 20 + 2 - 1

    def run():
        filled_dicts()
        return filled_dicts()

    warm(run)
    data, it = trace_call(run)
    line = own_lines(check(data), filled_dicts)[1].total
    assert line.live_count == 40 + 2
    assert line.allocated_count == 2 * one_run(filled_dicts) - 20
    del it


def addresses_come_back(make):
    """How many blocks 50 objects take from the allocator: fewer if some come from a free list."""
    before = sys.getallocatedblocks()
    objects = [make() for _ in range(50)]
    grown = sys.getallocatedblocks() - before
    del objects
    return grown


@pytest.mark.parametrize("make", [lambda: HALF + ONE, lambda: [], lambda: {}], ids=["floats", "lists", "dicts"])
def test_the_lists_work_again_after_the_scope(make):
    def reused():
        warm_up = [make() for _ in range(50)]
        del warm_up
        return addresses_come_back(make)

    reused()
    before = reused()
    trace_block(reused)
    trace_block(reused)
    reused()  # 3.14: the number that it begins with comes from a list, which is empty yet
    assert reused() == before
    assert before < 50


def test_the_lists_stay_off_until_the_last_scope_ends():
    first, second = (_engine.ScopeHandle(name, True) for name in ("first", "second"))
    first.enter()
    second.enter()
    floats()
    first.leave()
    floats()
    it = floats()
    second.leave()
    data = check(result_of(second))
    assert live(data, floats) == 22
    assert own_lines(data, floats)[1].total.allocated_count == 3 * one_run(floats)
    del it


SHRUNK = """
import os
from malloc_tracer import _engine
r, w = os.pipe()
def shrunk(size):
    os.write(w, b"x" * (size - 33))
    return os.read(r, 600)  # libc's block of 633 bytes, then cut to `size`
rows = []
for size in range(400, 513):
    handle = _engine.ScopeHandle("x", True)
    handle.enter()
    rows = [shrunk(size) for _ in range(10)]
    length = (size + 15) // 16 * 16 - 33
    rows[::2] = [None] * 5
    more = [b"y" * length for _ in range(40)]  # as much as the size class holds
    assert all(row == b"x" * (size - 33) for row in rows[1::2])
    assert more == [b"y" * length] * 40
    del more
    rows = []
    handle.leave()
print("ok")
"""


def test_a_block_cut_to_a_small_size_is_not_taken_for_a_whole_small_block(python):
    assert python("-c", SHRUNK, PYTHONPATH=str(Path(_engine.__file__).parents[1])) == "ok\n"
