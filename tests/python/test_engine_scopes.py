"""Scopes: what they contain, how they nest and overlap, when they end."""

from __future__ import annotations

import contextlib
import gc
import platform
import sys

import pytest

from engine import (
    check,
    kept,
    nodes,
    nonzero,
    numbers,
    own_lines,
    path_of,
    result_of,
    trace_block,
    trace_call,
)
from malloc_tracer import _engine
from sizes import FREE_THREADED, LIST_HEAD

HEAD = b"".__sizeof__()  # of a bytes object, which is one block


LENGTHS = {
    size: size - HEAD for size in (*range(100, 10_000), *range(10_000, 100_000, 1000))
}  # arithmetic would allocate


def block(size):
    """One block of `size` bytes."""
    return b"x" * LENGTHS[size]


def opened(name="scope", all_threads=True):
    handle = _engine.ScopeHandle(name, all_threads)
    handle.enter()
    return handle


def ended(handle):
    handle.leave()
    return check(result_of(handle))


def empty():
    pass


def call_empty():
    empty()
    empty()
    empty()


def test_an_empty_scope_has_no_events():
    for _ in range(5):
        handle = opened()
        handle.leave()
        data = check(result_of(handle))
        assert nonzero(data.sum) == {}
        assert data.lines == data.functions == data.files == data.threads == data.allocators == []
        assert data.root.children == []


def test_empty_calls_have_no_events():
    call_empty()
    for _ in range(3):
        data, _ = trace_call(call_empty)
        assert nonzero(check(data).sum) == {}
        data, _ = trace_block(call_empty)
        assert nonzero(check(data).sum) == {}


def test_a_scope_that_never_opened_is_empty():
    assert nonzero(check(result_of(_engine.ScopeHandle("never", True))).sum) == {}


def test_leave_of_a_scope_that_is_not_open_is_nothing():
    handle = _engine.ScopeHandle("never", True)
    handle.leave()
    handle.enter()
    handle.leave()
    handle.leave()
    assert not handle.is_open
    assert nonzero(check(result_of(handle)).sum) == {}


def test_one_block_is_one_block():
    size = 5000
    block(size), ended(opened())  # before 3.11 a first call makes its frame, a block like others
    handle = opened()
    it = block(size)
    data = ended(handle)
    assert nonzero(data.sum) == kept(1, size)
    assert [(line.function, nonzero(line.self)) for line in data.lines if line.self.live_count] == [
        ("block", kept(1, size))
    ]
    assert nonzero(own_lines(data, test_one_block_is_one_block)[4].total) == kept(1, size)
    del it


# Nested and overlapping scopes


def test_nested_scopes_each_see_their_own_part():
    outer = opened("outer")
    first = block(1000)
    inner = opened("inner")
    second = block(2000)
    inside = ended(inner)
    third = block(3000)
    del first
    data = ended(outer)
    assert nonzero(inside.sum) == kept(1, 2000)
    assert inside.name == "inner"
    sizes = {line.number: line.total.allocated_bytes for line in data.lines if line.function.startswith("test_")}
    assert {1000, 2000, 3000} <= set(sizes.values())
    assert own_lines(data, test_nested_scopes_each_see_their_own_part)[2].total.freed_bytes == 1000
    del second, third


def test_overlapping_scopes_each_see_their_own_part():
    first = opened("first")
    a = block(1000)
    second = opened("second")
    b = block(2000)
    first.leave()
    c = block(4000)
    del a, b
    second.leave()
    one, two = check(result_of(first)), check(result_of(second))

    # The handles' own objects are made in Python code of this test, so only its lines with blocks are compared.
    def parts(data):
        return {k: v for k, v in own_block_lines(data, test_overlapping_scopes_each_see_their_own_part).items()}

    assert parts(one) == {2: kept(1, 1000), 4: kept(1, 2000)}
    assert parts(two)[6] == kept(1, 4000)
    assert parts(two)[4]["freed_bytes"] == 2000
    assert 2 not in parts(two)
    del c


def own_block_lines(data, function):
    """The lines of `function` that call `block`: what it made for them."""
    found = {}
    for node in nodes(data):
        if (
            node.frame.function == "block"
            and node.parent is not None
            and node.parent.frame.function == function.__name__
        ):
            found[node.parent.frame.line - function.__code__.co_firstlineno] = nonzero(node.self)
    return found


def work():
    rows = [block(100 + i) for i in range(50)]
    rows = [row + b"." for row in rows]
    table = {i: [row] for i, row in enumerate(rows)}
    del rows
    return table


def test_a_scope_has_the_same_numbers_inside_others_as_alone():
    work()
    kept = opened("kept") if sys.version_info < (3, 10) else None  # with the tables of keys that 3.9 keeps in a session
    work()
    alone, it = trace_call(work)
    del it
    outer = opened("outer")
    around = opened("around")
    nested, it = trace_call(work)
    del it
    other = opened("other")
    outer.leave()
    overlapped, it = trace_call(work)
    del it
    around.leave()
    other.leave()
    if kept is not None:
        kept.leave()
    for handle in (outer, around, other):
        check(result_of(handle))
    assert numbers(check(nested).sum) == numbers(check(alone).sum) == numbers(check(overlapped).sum)
    for data in (nested, overlapped):
        assert [(line.number, numbers(line.self), numbers(line.total)) for line in data.lines] == [
            (line.number, numbers(line.self), numbers(line.total)) for line in alone.lines
        ]


def test_scopes_around_the_same_code_have_equal_numbers():
    handles = [_engine.ScopeHandle(str(i), True) for i in range(200)]
    work()
    for handle in handles:
        handle.enter()
    it = work()
    for handle in reversed(handles):
        handle.leave()
    results = [check(result_of(handle)) for handle in handles]
    del it
    alone, it = trace_call(work)
    for data in results:
        assert numbers(data.sum) == numbers(results[0].sum)
        assert [(at, numbers(line.total)) for at, line in own_lines_of(data, work)] == [
            (at, numbers(line.total)) for at, line in own_lines_of(alone, work)
        ]
    del it


def own_lines_of(data, function):
    return sorted((at, line) for at, line in own_lines(data, function).items() if line.function == function.__name__)


def test_a_thousand_scopes_leave_no_memory_behind():
    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4

    def one():
        data, _ = trace_call(work)
        return data.sum.allocated_count

    for _ in range(200):
        one()
    gc.collect()
    counts, growths = set(), []
    for _ in range(3):
        before = resident()
        counts |= {one() for _ in range(1000)}
        gc.collect()
        growths.append(resident() - before)
    assert len(counts) == 1 or sys.version_info < (3, 11)  # where frames come from a list, or do not
    assert min(growths) < 256, growths  # KiB; the system gives and takes huge pages of 2 MiB when it likes


# What counts


def test_self_adds_up_over_everything():
    data, it = trace_block(work)
    assert len(data.lines) > 3
    check(data)
    del it


def test_the_second_run_equals_the_first():
    runs = []
    for _ in range(3):
        data, it = trace_call(work)
        del it
        runs.append(check(data))
    assert numbers(runs[1].sum) == numbers(runs[2].sum)
    assert [(line.number, numbers(line.self)) for line in runs[1].lines] == [
        (line.number, numbers(line.self)) for line in runs[2].lines
    ]


def test_peak_is_made_of_what_was_alive_then():
    def run():
        small = block(1_000)
        big = block(50_000)
        bigger = block(70_000)
        del big
        after = block(30_000)
        last = [small, after]
        return last

    run()
    data, it = trace_call(run)
    del it
    sum_ = check(data).sum
    assert (sum_.peak_bytes, sum_.peak_count) == (121_000, 3)
    lines = own_lines(data, run)
    assert [lines[at].total.peak_bytes for at in (1, 2, 3, 5, 6)] == [1_000, 50_000, 70_000, 0, 0]
    assert [lines[at].total.peak_count for at in (1, 2, 3, 5, 6)] == [1, 1, 1, 0, 0]


def test_of_two_equal_peaks_the_first_counts():
    def run():
        first = block(10_000)
        del first
        second = block(10_000)
        del second

    data, _ = trace_call(run)
    lines = own_lines(check(data), run)
    assert (lines[1].total.peak_bytes, lines[3].total.peak_bytes) == (10_000, 0)
    assert data.sum.peak_bytes == 10_000


def test_freed_is_charged_to_the_place_that_allocated():
    def drop(items):
        items.clear()

    def run():
        items = [None]
        items[0] = block(5_000)
        drop(items)

    data, _ = trace_call(run)
    lines = own_lines(check(data), run)
    assert lines[2].total.freed_bytes == 5_000
    assert all(node.total.freed_bytes == 0 for node in nodes(data) if node.frame.function.endswith("drop"))


def test_a_block_from_before_the_scope_counts_nowhere():
    items = [block(5_000), block(6_000)]
    data, _ = trace_block(items.clear)
    assert nonzero(check(data).sum) == {}


def test_a_block_of_an_earlier_scope_counts_nowhere_in_the_next():
    items = []
    trace_block(lambda: items.extend(block(1000 + i) for i in range(20)))
    handle = opened()
    items.clear()
    assert nonzero(ended(handle).sum) == {}


def test_temporary_is_freed_by_the_very_next_event():
    def run():
        size = 1000
        gone = b"x" * size
        del gone
        outlives = b"x" * size
        other = b"y" * size
        del outlives
        del other

    data, _ = trace_call(run)
    lines = own_lines(check(data), run)
    assert [lines[at].self.temporary_count for at in (2, 4, 5)] == [1, 0, 0]
    assert data.sum.temporary_count == 1
    assert data.sum.freed_count == 3


def test_a_growing_list_is_reallocated():
    def run():
        rows = []
        for _ in range(1000):
            rows.append(None)
        return rows

    run()
    data, rows = trace_call(run)
    line = own_lines(check(data), run)[3].self
    assert line.reallocated_count == (0 if FREE_THREADED else line.allocated_count - 1)
    assert line.live_count == 1
    assert line.live_bytes == LIST_HEAD + rows.__sizeof__() - [].__sizeof__()
    if not FREE_THREADED:
        assert line.peak_bytes == line.live_bytes  # the old array and the new one are never both in the peak


def test_timeline_ends_at_what_is_live_and_contains_the_peak():
    def run():
        kept_ = [block(10_000) for _ in range(300)]
        del kept_[100:]
        return kept_

    data, it = trace_call(run)
    check(data)
    assert len(data.timeline) <= 1024
    assert max(live for _, live in data.timeline) == data.sum.peak_bytes
    times = [time for time, _ in data.timeline]
    assert times == sorted(times)
    del it


# Where a scope ends


def test_a_functions_locals_are_alive_at_its_end():
    def run():
        kept_ = block(9_000)
        dropped = block(1_000)
        dropped = None
        return 5

    data, result = trace_call(run)
    assert result == 5
    assert (check(data).sum.live_bytes, data.sum.live_count) == (9_000, 1)
    assert data.sum.freed_bytes == 1_000


def test_a_functions_locals_are_alive_when_it_raises():
    def run():
        kept_ = block(9_000)
        raise KeyError

    handle = _engine.ScopeHandle("run", True)
    with pytest.raises(KeyError):
        handle.run(run, (), None, run)
    data = check(result_of(handle))
    assert own_lines(data, run)[1].total.live_bytes == 9_000


def test_what_comes_after_an_exception_does_not_count():
    def raises():
        it = block(1_000)
        raise KeyError

    handle = _engine.ScopeHandle("raises", True)
    handle.attach(raises)
    after = []
    for _ in range(3):
        with contextlib.suppress(KeyError):
            raises()
        after.append(block(2_000))
    data = check(result_of(handle))
    handle.end()
    assert own_lines(data, block)[2].self.allocated_count == 3
    assert own_lines(data, block)[2].self.allocated_bytes == 3_000


def test_the_whole_call_ends_after_its_locals_have_died():
    def run():
        kept_ = block(9_000)
        return 5

    data, _ = trace_block(run)
    assert check(data).sum.live_bytes == 0


def test_every_activation_counts_and_nothing_in_between():
    def listed(size):
        return block(size)

    def run():
        rows = [listed(1_000)]
        rows.append(block(20_000))
        rows.append(listed(2_000))
        return rows

    handle = _engine.ScopeHandle("listed", True)
    rows = handle.run(run, (), None, listed)
    data = check(result_of(handle))
    assert nonzero(data.sum) == kept(2, 1_500)
    del rows


def test_a_suspended_generator_does_not_count_its_consumer():
    def numbered():
        for i in range(10):
            item = block(1_000 + i)
            yield item

    def consume():
        mine = []
        for item in numbered():
            mine.append(item)
            mine.append(block(7_000))
        return mine

    consume()
    handle = _engine.ScopeHandle("numbered", True)
    mine = handle.run(consume, (), None, numbered)
    data = check(result_of(handle))
    by_block = [node for node in nodes(data) if node.frame.function == "block"]
    assert sum(node.self.allocated_bytes for node in by_block) == 10 * 1_000 + 45
    assert sum(node.self.live_bytes for node in by_block) == 10 * 1_000 + 45
    del mine


def test_a_suspended_scope_counts_frees_whenever_they_happen():
    def listed(size):
        return block(size)

    def run():
        kept_ = listed(5_000)
        kept_ = None
        return listed(100)

    handle = _engine.ScopeHandle("listed", True)
    it = handle.run(run, (), None, listed)
    data = check(result_of(handle))
    assert (data.sum.live_bytes, data.sum.freed_bytes, data.sum.peak_bytes) == (100, 5_000, 5_000)
    del it


def test_an_attached_function_adds_up_and_forgets_at_reset():
    def listed(size):
        return block(size)

    handle = _engine.ScopeHandle("listed", False)
    handle.attach(listed)
    mine = [listed(1_000), listed(2_000)]
    other = block(50_000)
    assert nonzero(check(result_of(handle)).sum) == kept(2, 1_500)
    handle.reset()
    assert nonzero(check(result_of(handle)).sum) == {}
    mine.append(listed(300))
    assert nonzero(check(result_of(handle)).sum) == kept(1, 300)
    handle.end()
    mine.append(listed(400))
    assert nonzero(check(result_of(handle)).sum) == kept(1, 300)
    del mine, other


def test_what_is_allocated_while_paused_does_not_count():
    handle = opened()
    first = block(6_000)
    _engine.pause()
    hidden = block(5_000)
    _engine.pause()
    _engine.resume()
    hidden_too = block(5_000)
    _engine.resume()
    seen = block(6_000)
    data = ended(handle)
    assert nonzero(data.sum) == kept(2, 6_000)
    del first, hidden, hidden_too, seen


def test_skip_makes_a_caller_the_scopes_frame():
    def open_for_caller(handle):
        handle.enter(1)

    def run():
        handle = _engine.ScopeHandle("skip", True)
        open_for_caller(handle)
        it = block(1_000)
        handle.leave()
        return check(result_of(handle))

    data = run()
    assert {tuple(path_of(node)) for node in nodes(data) if node.self.live_count} == {("run", "block")}


# Code that comes and goes


def test_code_objects_at_a_reused_address_keep_their_own_names():
    handle = opened()
    rows = []
    for i in range(300):
        namespace = {"rows": rows, "size": 500 + i}
        exec(f"def made_{i}():\n" + "\n" * (i % 7) + f"    rows.append(b'x' * size)\nmade_{i}()", namespace)
        namespace.clear()
    data = ended(handle)
    sizes = {f.name: f.self.live_bytes for f in data.functions if f.name.startswith("made_")}
    growth = {f.name for f in data.functions if f.name.startswith("made_") and f.self.live_count > 1}
    for i in range(300):
        if f"made_{i}" not in growth and i != 0:
            assert sizes[f"made_{i}"] == 500 + i + HEAD, i
    assert len(sizes) == 300
    lines = {node.frame.function: node.frame.line for node in nodes(data) if node.frame.function.startswith("made_")}
    assert lines == {f"made_{i}": 2 + i % 7 for i in range(300)}
    assert platform.python_version() == data.python_version
