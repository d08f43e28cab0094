"""Differences and sums of traces."""

import linecache
import sys

import pytest

import malloc_tracer
from engine import COUNTERS
from malloc_tracer import MallocTracerError
from sizes import ARGUMENT, array

BEFORE = """
def load(n):
    first = bytearray(n)
    second = [bytes(100 + i) for i in range(10)]
    return first, second

def other():
    return bytearray(5000)
"""
# Lines more above, and the order of the functions turned round.
MOVED = """
import os


def other():
    return bytearray(5000)


def load(n):
    # a comment
    first = bytearray(n)
    second = [bytes(100 + i) for i in range(10)]
    return first, second
"""


def traced(tmp_path, source, call, name="mod.py"):
    path = tmp_path / name
    path.write_text(source)
    space = {}
    exec(compile(source, str(path), "exec"), space)
    linecache.checkcache()
    trace = malloc_tracer.trace(lambda: call(space), quiet=True)
    trace.save(tmp_path / "kept.json")  # with the source of now
    return malloc_tracer.load(tmp_path / "kept.json")


def changed(trace):
    return {
        line.number: line.self.live_bytes
        for line in trace.lines
        if line.file.endswith("mod.py") and line.self.live_bytes != 0
    }


def both(space):
    return space["load"](1000), space["other"]()


def test_lines_that_moved_are_no_change(tmp_path):
    old, new = traced(tmp_path, BEFORE, both), traced(tmp_path, MOVED, both)
    difference = new.diff(old)
    assert changed(difference) == {}
    assert all(line.number > 0 for line in difference.lines if line.file.endswith("mod.py"))


def test_a_line_that_is_gone_has_its_old_number_negated(tmp_path):
    old = traced(tmp_path, BEFORE, both)
    new = traced(tmp_path, BEFORE.replace("    first = bytearray(n)\n", "").replace("first, ", ""), both)
    difference = new.diff(old)
    assert changed(difference) == {-3: -array(1000), -5: -sys.getsizeof((1, 2))}
    assert "first = bytearray(n)" in difference.report("text")


def test_a_line_edited_in_place_is_one_change(tmp_path):
    old = traced(tmp_path, BEFORE, both)
    new = traced(tmp_path, MOVED.replace("first = bytearray(n)", "first = bytes(n)"), both)
    assert changed(new.diff(old)) == {11: sys.getsizeof(bytes(1000)) - array(1000)}
    assert changed(old.diff(new)) == {3: array(1000) - sys.getsizeof(bytes(1000))}


def test_a_line_that_was_split_is_gone_and_its_parts_are_new(tmp_path):
    old = traced(tmp_path, BEFORE, both)
    parts = "size = bytes(n)\n    first = bytearray(size)"
    new = traced(tmp_path, BEFORE.replace("first = bytearray(n)", parts), both)
    assert changed(new.diff(old)) == {4: array(1000), -3: -array(1000)}


def test_which_of_two_equal_lines_has_gone(tmp_path):
    function = "def load(n):\n    {}second = [n]\n    first = bytearray(n)\n    return first, second\n"
    old = traced(tmp_path, function.format("first = bytearray(n)\n    "), lambda space: space["load"](1000))
    new = traced(tmp_path, function.format(""), lambda space: space["load"](1000))
    difference = new.diff(old)
    numbers = {
        line.number: line.self.allocated_bytes
        for line in difference.lines
        if line.file.endswith("mod.py") and line.self.allocated_bytes != 0
    }
    assert numbers == {-2: -(array(1000) + ARGUMENT)}


def test_what_grew_comes_first_and_what_shrank_last(tmp_path):
    old = traced(tmp_path, BEFORE, lambda space: space["load"](1000))
    new = traced(tmp_path, BEFORE, lambda space: (space["load"](3000), space["other"]()))
    assert list(changed(new.diff(old)).items()) == [(8, array(5000)), (3, 2000)]
    assert list(changed(old.diff(new)).items()) == [(3, -2000), (8, -array(5000))]


def test_a_difference_is_an_ordinary_trace(tmp_path):
    old = traced(tmp_path, BEFORE, lambda space: space["load"](1000))
    new = traced(tmp_path, BEFORE, lambda space: space["load"](3000))
    difference = old.diff(new)
    assert difference.live_bytes == -2000 == difference.root.total.live_bytes
    for name in COUNTERS:
        assert getattr(difference, name) == getattr(old, name) - getattr(new, name), name
        for places in (difference.lines, difference.functions, difference.files, difference.threads):
            assert sum(getattr(place.self, name) for place in places) == getattr(difference, name), name
    assert "live -2.0 KiB in +0 blocks" in repr(difference)
    for format, _, _ in malloc_tracer._engine.formats():
        difference.report(format)
    difference.save(tmp_path / "d.json")
    assert malloc_tracer.load(tmp_path / "d.json") == difference
    assert str(malloc_tracer.load(tmp_path / "d.json")) == str(difference)


def test_a_difference_is_listed_with_signs(tmp_path):
    old = traced(tmp_path, BEFORE, lambda space: space["other"]())
    new = traced(tmp_path, BEFORE.replace("5000", "9000"), lambda space: (space["other"](), bytearray(2000)))
    text = str(new.diff(old))
    assert "     8      +3.9 KiB        return bytearray(9000)\n" in text
    assert "Total allocated size: +" in text
    gone = str(traced(tmp_path, BEFORE, lambda space: None).diff(old))
    assert f"    -8      -{array(5000) / 1024:.1f} KiB        return bytearray(5000)\n" in gone


def test_of_fresh_traces(tmp_path):
    def f(n):
        return bytearray(n)

    small = malloc_tracer.trace(f, args=(10,), quiet=True)
    large = malloc_tracer.trace(f, args=(1010,), quiet=True)
    assert large.diff(small).live_bytes == 1000
    assert [line.self.live_bytes for line in large.diff(small).lines] == [1000]


def test_a_sum_has_every_number_of_its_parts(tmp_path):
    one = traced(tmp_path, BEFORE, lambda space: space["load"](1000))
    two = traced(tmp_path, BEFORE, both)
    total = malloc_tracer.merge([one, two, two])
    for name in COUNTERS:
        assert getattr(total, name) == getattr(one, name) + 2 * getattr(two, name), name
        for places in (total.lines, total.functions, total.files, total.threads, total.allocators):
            assert sum(getattr(place.self, name) for place in places) == getattr(total, name), name
    assert total.duration_ns == one.duration_ns + 2 * two.duration_ns
    assert total.name == one.name
    for format, _, _ in malloc_tracer._engine.formats():
        total.report(format)


def test_a_sum_of_one_equals_it(tmp_path):
    one = traced(tmp_path, BEFORE, both)
    assert malloc_tracer.merge([one]) == one
    assert str(malloc_tracer.merge(iter([one]))) == str(one)


def test_bad_arguments(tmp_path):
    one = traced(tmp_path, BEFORE, both)
    with pytest.raises(TypeError, match=r"earlier must be a Trace, such as malloc_tracer.load\(path\), not 3"):
        one.diff(3)
    with pytest.raises(TypeError, match="merge takes an iterable of Trace objects; 'x'"):
        malloc_tracer.merge([one, "x"])
    with pytest.raises(MallocTracerError, match="there is no trace to add up"):
        malloc_tracer.merge([])
    with pytest.raises(MallocTracerError, match="is a difference already"):
        one.diff(one.diff(one))
    with pytest.raises(MallocTracerError, match="is a difference of two traces"):
        malloc_tracer.merge([one.diff(one)])
