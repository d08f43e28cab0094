"""Scopes and everything the garbage collector may do, and may be told to do, meanwhile."""

from __future__ import annotations

import gc
import weakref

import pytest

from engine import check, kept, nonzero, own_lines, trace_block, trace_call
from test_engine_process import ONE_BLOCK, block

HEAD = b"".__sizeof__()


@pytest.fixture(autouse=True)
def collector_as_before():
    was, thresholds = gc.isenabled(), gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    (gc.enable if was else gc.disable)()
    gc.callbacks.clear()
    gc.unfreeze()


class Node:
    """Part of a cycle of two, with a block of its own."""

    def __init__(self):
        self.other = None
        size = 2000
        self.data = b"x" * size


def cycle():
    one, two = Node(), Node()
    one.other, two.other = two, one
    return one


def data_line(data):
    return own_lines(data, Node.__init__)[3].self


def cycles(count):
    for _ in range(count):
        cycle()


@pytest.mark.parametrize("enabled", [True, False])
def test_cycles_are_freed_when_the_collector_frees_them(enabled):
    (gc.enable if enabled else gc.disable)()

    def run():
        cycles(50)
        gc.collect()

    run()
    data, _ = trace_block(run)
    line = data_line(check(data))
    assert (line.allocated_count, line.freed_count) == (100, 100)
    assert line.allocated_bytes == 100 * (2000 + HEAD)


def test_with_the_collector_off_cycles_stay():
    gc.disable()
    gc.collect()
    data, _ = trace_block(lambda: cycles(50))
    gc.enable()
    assert nonzero(data_line(check(data))) == kept(100, 2000 + HEAD)
    gc.collect()


def test_frozen_cycles_stay_and_go_when_unfrozen():
    def run():
        cycles(10)
        gc.freeze()
        gc.collect()

    gc.disable()
    data, _ = trace_block(run)
    assert nonzero(data_line(check(data))) == kept(20, 2000 + HEAD)

    def again():
        run()
        gc.unfreeze()
        gc.collect()

    data, _ = trace_block(again)
    line = data_line(check(data))
    assert (line.allocated_count, line.freed_count) == (20, 20)


def test_a_collection_at_every_allocation():
    def run():
        gc.set_threshold(1, 1, 1)
        cycles(30)
        it = block()
        gc.set_threshold(700, 10, 10)
        gc.collect()
        return it

    run()
    data, it = trace_block(run)
    assert data_line(check(data)).freed_count == 60
    assert nonzero(own_lines(data, block)[2].self) == ONE_BLOCK


def test_collector_callbacks_that_allocate():
    made = []

    def callback(phase, info):
        made.append(block())

    def run():
        gc.callbacks.append(callback)
        cycles(5)
        for _ in range(3):
            gc.collect()
        gc.callbacks.clear()

    gc.disable()
    data, _ = trace_block(run)
    assert nonzero(own_lines(check(data), block)[2].self) == kept(6, ONE_BLOCK["live_bytes"])
    assert data_line(data).live_count == 0


def test_weakref_callbacks_and_finalizers_that_allocate_and_bring_back_to_life():
    made, alive = [], []

    class Phoenix(Node):
        def __del__(self):
            made.append(block())
            alive.append(self)

    def run():
        references = []
        for _ in range(10):
            one = cycle()
            references.append(weakref.ref(one, lambda _: made.append(block())))
            weakref.finalize(one, lambda: made.append(block()))
        for _ in range(10):
            phoenix = Phoenix()
            phoenix.other = phoenix
        del one, phoenix
        gc.collect()
        return references

    run()
    made.clear(), alive.clear()
    data, it = trace_block(run)
    assert nonzero(own_lines(check(data), block)[2].self) == kept(30, ONE_BLOCK["live_bytes"])
    assert data_line(data).live_count == 10  # those that came back
    made.clear(), alive.clear()
    gc.collect()


def test_a_scope_that_opens_and_closes_inside_a_finalizer():
    seen = []

    class Traces:
        def __del__(self):
            seen.append(nonzero(check(trace_call(block)[0]).sum))

    def run():
        for _ in range(5):
            it = Traces()
            it.me = it
        del it
        gc.collect()

    data, _ = trace_block(run)
    check(data)
    assert seen == [ONE_BLOCK] * 5
    run()
    assert seen == [ONE_BLOCK] * 10


def test_looking_at_every_object_inside_a_scope():
    """No object of ours is among them in a state that Python cannot see."""

    def run():
        return sum(1 for it in gc.get_objects() if gc.get_referents(it) is not None and repr(type(it)))

    data, count = trace_block(run)
    check(data)
    assert count > 1000
