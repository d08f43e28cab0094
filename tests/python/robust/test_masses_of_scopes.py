"""Very many scopes: one after the other, one in the other, all at once. scripts/soak does the same for longer."""

from __future__ import annotations

import gc

from engine import check, kept, nonzero, own_lines, result_of, trace_block, trace_call
from malloc_tracer import _engine
from test_engine_process import ONE_BLOCK, block

HEAD = b"".__sizeof__()
BLOCK_BYTES = ONE_BLOCK["live_bytes"]


def resident():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Rss:"))


def least_growth(body, rounds=3):
    """KiB: of several rounds the one with the least; the system gives and takes huge pages of 2 MiB when it likes."""
    body()
    growths = []
    for _ in range(rounds):
        gc.collect()
        before = resident()
        body()
        gc.collect()
        growths.append(resident() - before)
    return min(growths)


def test_10000_scopes():
    def body():
        for _ in range(2500):
            data, it = trace_call(block)
        assert nonzero(data.sum) == ONE_BLOCK

    assert least_growth(body) < 256


def test_inner_scopes_opened_and_closed_inside_one():
    outer = _engine.ScopeHandle("outer", True)
    outer.enter()

    def body():
        for _ in range(20_000):  # a lost path node of each would be seen
            inner = _engine.ScopeHandle("inner", True)
            inner.enter()
            it = block()
            inner.leave()

    growth = least_growth(body)
    outer.leave()
    assert growth < 256
    line = own_lines(check(result_of(outer)), block)[2].self
    assert (line.allocated_count, line.freed_count) == (80_000, 80_000)
    assert nonzero(own_lines(check(result_of(outer)), block)[2].self)["allocated_bytes"] == 80_000 * BLOCK_BYTES


def test_1000_scopes_open_at_once():
    """Opened one in the other, every fourth closed before those inside it; each has what was made while it was open."""
    handles = [_engine.ScopeHandle(str(i), True) for i in range(1000)]
    rows = []
    for handle in handles:
        handle.enter()
        rows.append(block())
    order = [*range(0, 1000, 4), *(at for at in range(999, 0, -1) if at % 4)]
    made = len(rows)
    expected = {}
    for at in order:
        handles[at].leave()
        expected[at] = made - at
        rows.append(block())
        made += 1
    assert len(expected) == 1000
    for at, handle in enumerate(handles):
        assert nonzero(own_lines(result_of(handle), block)[2].self) == kept(expected[at], BLOCK_BYTES), at
    check(result_of(handles[0]))
    check(result_of(handles[1]))
    del rows
    assert nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK


def test_3000_scopes_of_one_frame_that_end_in_the_order_they_began():
    """Each end changes the frame's path: with a marker for each scope 4.5 million nodes would overflow the tree."""
    handles = [_engine.ScopeHandle(str(i), True) for i in range(3000)]
    for handle in handles:
        handle.enter()
    rows = []
    for handle in handles[:-1]:
        handle.end()
        rows.append(block())
    last = check(result_of(handles[-1]))
    handles[-1].end()
    assert nonzero(own_lines(last, block)[2].self) == kept(2999, BLOCK_BYTES)


def test_a_generator_that_suspends_its_scope_100000_times():
    def endless():
        while True:
            it = block()
            yield

    handle = _engine.ScopeHandle("generator", True)
    handle.attach(endless)
    generator = endless()

    def body():
        for _ in range(25_000):
            next(generator)
            mine = block()

    growth = least_growth(body)
    generator.close()
    data = check(result_of(handle))
    handle.end()
    assert growth < 256
    assert own_lines(data, block)[2].self.allocated_count == 100_000  # not those made between two items


def test_a_watched_function_called_100000_times():
    handle = _engine.ScopeHandle("function", True)

    def function():
        return block()

    handle.attach(function)

    def body():
        for _ in range(25_000):
            function()

    growth = least_growth(body)
    data = check(result_of(handle))
    handle.end()
    assert growth < 256
    assert own_lines(data, block)[2].self.allocated_count == 100_000


def test_churn_with_one_scope_open():
    """The tracer's memory is bounded by live blocks and distinct paths, not by events."""

    def body():
        for i in range(100_000):
            it = [str(i), {i: i}]

    handle = _engine.ScopeHandle("churn", True)
    handle.enter()
    growth = least_growth(body)
    handle.leave()
    assert growth < 256
    assert check(result_of(handle)).sum.allocated_count >= 4 * 3 * 100_000


# Code that changes while it runs


def first(n):
    if n == 3:
        first.__code__ = second.__code__
    it = block()
    return [it, *first(n - 1)] if n else [it]


def second(n):
    it = [block(), block()]
    return [*it, *first(n - 1)] if n else it


def test_code_replaced_while_it_runs():
    was = first.__code__
    data, it = trace_block(lambda: first(5))
    assert first.__code__ is second.__code__
    lines = own_lines(check(data), block)
    assert nonzero(lines[2].self) == kept(3 + 3 * 2, BLOCK_BYTES)
    totals = {line.number - was.co_firstlineno: line.total for line in data.lines if line.function == "first"}
    assert totals[3].live_bytes == 3 * BLOCK_BYTES
    own = {line.number - was.co_firstlineno: line.self for line in data.lines if line.function == "first"}
    assert own[4].live_count == 2  # the first call's list and its items, made after the code was replaced
    first.__code__ = was


def target():
    target.__code__ = other.__code__
    return block()


def other():
    return [block(), block()]


def test_code_of_the_traced_function_replaced_while_it_runs():
    handle = _engine.ScopeHandle("replaced", True)
    it = handle.run(target, (), None, target)
    assert not handle.is_open
    assert nonzero(own_lines(check(result_of(handle)), block)[2].self) == ONE_BLOCK
    assert len(target()) == 2


def test_a_function_that_is_deleted_while_it_is_watched():
    def made():
        namespace = {"block": block}
        exec("def gone(): return block()", namespace)
        return namespace["gone"]

    def body():
        for _ in range(300):
            handle = _engine.ScopeHandle("gone", True)
            function = made()
            handle.attach(function)
            function()
            data = result_of(handle)
            del function
            handle.end()
            assert own_lines(data, block)[2].self.allocated_count == 1

    body()
    assert nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK
