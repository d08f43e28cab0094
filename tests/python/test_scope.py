"""`with malloc_tracer.Scope(...)`: any block."""

import contextlib
import io
import sys
import threading

import pytest

import malloc_tracer
from conftest import target_rows
from malloc_tracer import MallocTracerError, Scope
from sizes import ARGUMENT, array


def test_a_block_with_exact_numbers():
    with Scope("load", threads="all") as scope:
        data = bytearray(8000)  # live bytearray(8000)
        gone = bytearray(100)
        del gone
    trace = scope.trace
    assert trace.name == "load"
    assert (trace.live_bytes, trace.live_count) == (array(8000), 2)
    assert (trace.allocated_bytes, trace.freed_bytes) == (
        array(8000) + ARGUMENT + array(100) + ARGUMENT,
        ARGUMENT + array(100) + ARGUMENT,
    )
    assert trace.result is None
    assert scope.trace is trace
    del data


def test_an_empty_scope_has_no_events():
    for _ in range(3):
        with Scope() as scope:
            pass
        assert scope.trace.to_dict()["lines"] == []
        assert scope.trace.allocated_count == scope.trace.freed_count == 0
    assert scope.trace.name == ""


def test_listing_shows_the_block():
    with Scope("block") as scope:
        data = bytearray(8000)
        if data:
            # a comment
            more = bytearray(100)

        text = """
not indented
"""
    after = bytearray(1)
    rows = target_rows(str(scope.trace))
    assert [row.text.strip() for row in rows] == [
        'with Scope("block") as scope:',
        "data = bytearray(8000)",
        "if data:",
        "# a comment",
        "more = bytearray(100)",
        "",
        'text = """',
        "not indented",
        '"""',
    ]
    assert [row.size for row in rows] == ["", "7.9 KiB", "", "", f"{array(100)} B", "", "", "", ""]
    del after, more, text


def test_listing_of_one_line_and_of_several_items():
    with Scope() as scope: data = bytearray(8000)  # noqa: E701  # fmt: skip
    assert [row.text.strip() for row in target_rows(str(scope.trace))] == [
        "with Scope() as scope: data = bytearray(8000)  # noqa: E701  # fmt: skip"
    ]
    with (
        contextlib.nullcontext(),
        Scope() as scope,
    ):
        data = bytearray(8000)
    rows = target_rows(str(scope.trace))
    assert rows[0].text.strip() == "with ("
    assert rows[-1].text.strip() == "data = bytearray(8000)"
    del data


def test_scope_without_a_with_statement():
    with contextlib.ExitStack() as stack:
        scope = stack.enter_context(Scope("stack"))
        data = bytearray(8000)
    assert scope.trace.live_bytes >= array(8000)
    assert "no source" in str(scope.trace)
    del data


def test_scopes_nest_and_the_inner_one_adds_nothing_of_its_own():
    sink = io.StringIO()
    with Scope("outer") as outer:
        first = bytearray(8000)
        inner = Scope("inner")
        with inner:
            second = bytearray(100)
        inner.trace.print(sink)
    number = next(line.number for line in inner.trace.lines)
    names = {line.file for line in outer.trace.lines}
    assert not [name for name in names if "malloc_tracer/_" in name]
    assert inner.trace.live_bytes == array(100)
    assert outer.trace.line(__file__, number).self.live_bytes == array(100)
    del first, second


def test_scopes_may_overlap():
    one, two = Scope("one"), Scope("two")
    one.__enter__()
    a = bytearray(1000)
    two.__enter__()
    b = bytearray(100)
    one.__exit__(None, None, None)
    c = bytearray(10)
    two.__exit__(None, None, None)
    assert one.trace.live_bytes == array(1000) + array(100)
    assert two.trace.live_bytes == array(100) + array(10)
    del a, b, c


def test_so_far():
    with Scope() as scope:
        a = bytearray(8000)
        so_far = scope.trace
        b = bytearray(100)
    assert so_far.live_bytes == array(8000)
    assert scope.trace.live_bytes == array(8000) + array(100)
    del a, b


def test_before_it_is_entered_a_scope_is_empty():
    scope = Scope("later")
    assert scope.trace.allocated_count == 0
    assert "this scope was never entered" in str(scope.trace)


def test_a_scope_is_used_once():
    scope = Scope("load")
    with scope:
        pass
    with pytest.raises(MallocTracerError, match="scope 'load' was used before: make a new Scope"), scope:
        pass
    scope = Scope()
    with scope:
        with pytest.raises(MallocTracerError), scope:
            pass
        data = bytearray(8000)
    assert scope.trace.live_bytes >= array(8000)
    del data


def test_exceptions_pass_through():
    with pytest.raises(KeyError), Scope() as scope:
        data = bytearray(8000)
        raise KeyError
    assert scope.trace.live_bytes >= array(8000)
    del data


def test_early_return_is_listed():
    def function():
        with Scope() as scope:
            data = bytearray(8000)
            return scope, data

    scope, data = function()
    rows = target_rows(str(scope.trace))
    assert [row.text.strip() for row in rows][-1] == "return scope, data"
    assert rows[1].size == "7.9 KiB"


def test_threads():
    def work(size):
        held[0] = bytearray(size)

    held = [None]
    with Scope(threads="current") as current, Scope(threads="all") as everyone:
        thread = threading.Thread(target=work, args=(8000,))
        thread.start()
        thread.join()
    line = work.__code__.co_firstlineno + 1
    assert current.trace.line(work, line).self.live_bytes == 0
    assert everyone.trace.line(work, line).self.live_bytes == array(8000)


def test_scopes_in_several_threads_at_once():
    def work(size):
        barrier.wait()
        with Scope(threads="current") as scope:
            data = bytearray(size)
            barrier.wait()
        traces[size] = scope.trace.live_bytes
        del data

    traces = {}
    barrier = threading.Barrier(4)
    workers = [threading.Thread(target=work, args=(size,)) for size in (1000, 2000, 3000, 4000)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(traces) == [1000, 2000, 3000, 4000]
    assert all(live >= array(size) for size, live in traces.items())  # and what the barrier keeps


def test_repr():
    scope = Scope("load")
    assert repr(scope) == "<Scope 'load': not entered>"
    with scope:
        assert repr(scope) == "<Scope 'load': open>"
    assert repr(scope) == "<Scope 'load': has ended>"


def test_module_level_scope(python, tmp_path):
    (tmp_path / "script.py").write_text("""import malloc_tracer
data = scope = None  # the module's dictionary has room for the names
with malloc_tracer.Scope('top') as scope:
    data = bytearray(8000)
x = 1
scope.trace.print()
""")
    out = python("script.py")
    assert "     4       7.9 KiB        data = bytearray(8000)\n" in out
    assert "x = 1" not in out


def test_importing_inside_a_scope_is_recorded():
    sys.modules.pop("colorsys", None)
    with Scope() as scope:
        import colorsys
    assert any(file.name == colorsys.__file__ for file in scope.trace.files)
    assert malloc_tracer.Scope is Scope
