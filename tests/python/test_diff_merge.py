"""Differences and sums of traces."""

from __future__ import annotations

import pytest

import malloc_tracer
from engine import NUMBERS

BEFORE = """
def load(n):
    first = bytearray(n)
    second = [bytes(100 + i) for i in range(10)]
    return first, second

def other():
    return bytearray(5000)
"""
# Two lines more above, one changed in place, the order of the functions turned round.
AFTER = """
import os


def other():
    return bytearray(5000)


def load(n):
    # a comment
    first = bytearray(n)
    second = [bytes(200 + i) for i in range(10)]
    return first, second
"""


def traced(tmp_path, source, call, name="mod.py"):
    path = tmp_path / name
    path.write_text(source)
    space = {}
    exec(compile(source, str(path), "exec"), space)
    import linecache

    linecache.checkcache()
    trace = malloc_tracer.trace(lambda: call(space), quiet=True)
    trace.save(tmp_path / "kept.json")  # with the source of now
    return malloc_tracer.load(tmp_path / "kept.json")


def changed_lines(trace, file):
    return {
        line.number: line.self.live_bytes
        for line in trace.lines
        if line.file.endswith(file) and line.self.live_bytes != 0
    }


def both(space):
    return space["load"](1000), space["other"]()


def test_lines_that_moved_are_no_change(tmp_path):
    old = traced(tmp_path, BEFORE, both)
    new = traced(tmp_path, AFTER.replace("200", "100"), both)
    assert changed_lines(new.diff(old), "mod.py") == {}
    assert new.diff(old).live_bytes == 0


def test_a_line_changed_in_place_is_compared_with_what_it_was(tmp_path):
    old = traced(tmp_path, BEFORE, both)
    new = traced(tmp_path, AFTER, both)
    assert changed_lines(new.diff(old), "mod.py") == {12: 1000}
    assert changed_lines(old.diff(new), "mod.py") == {4: -1000}


def test_what_grew_comes_first_and_what_shrank_last(tmp_path):
    old = traced(tmp_path, BEFORE, lambda s: s["load"](1000))
    new = traced(tmp_path, BEFORE, lambda s: (s["load"](3000), s["other"]()))
    assert list(changed_lines(new.diff(old), "mod.py").items()) == [(8, 5057), (3, 2000)]
    back = old.diff(new)
    assert list(changed_lines(back, "mod.py").items()) == [(3, -2000), (8, -5057)]
    assert back.live_bytes == sum(line.self.live_bytes for line in back.lines) < -7057


def test_a_difference_is_an_ordinary_trace(tmp_path):
    old = traced(tmp_path, BEFORE, lambda s: s["load"](1000))
    new = traced(tmp_path, BEFORE, lambda s: s["load"](3000))
    difference = old.diff(new)
    assert difference.live_bytes == -2000 == sum(line.self.live_bytes for line in difference.lines)
    assert difference.root.total.live_bytes == -2000
    for format in ("text", "json", "pprof", "speedscope", "collapsed", "dhat"):
        difference.report(format)
    difference.save(tmp_path / "d.json")
    assert malloc_tracer.load(tmp_path / "d.json").to_dict() == difference.to_dict()


def test_the_same_trace_has_no_difference(tmp_path):
    old = traced(tmp_path, BEFORE, both)
    assert old.diff(old).lines == []
    assert old.diff(old).root.children == []
    assert old.diff(old).threads == []


def test_a_sum_has_every_number_of_its_parts(tmp_path):
    one = traced(tmp_path, BEFORE, lambda s: s["load"](1000))
    two = traced(tmp_path, BEFORE, both)
    total = malloc_tracer.merge([one, two, two])
    for name in NUMBERS:
        assert getattr(total, name) == getattr(one, name) + 2 * getattr(two, name), name
        for places in (total.lines, total.functions, total.files, total.threads, total.allocators):
            assert sum(getattr(place.self, name) for place in places) == getattr(total, name), name
    assert total.duration_ns == one.duration_ns + 2 * two.duration_ns
    assert total.name == one.name


def test_a_sum_of_one_equals_it(tmp_path):
    one = traced(tmp_path, BEFORE, both)
    assert malloc_tracer.merge([one]).to_dict() == {**one.to_dict(), "timeline": []}
    assert str(malloc_tracer.merge([one])) == str(one)


def test_sums_of_different_scopes_say_so(tmp_path):
    with malloc_tracer.Scope("a") as a:
        pass
    with malloc_tracer.Scope("b") as b:
        pass
    assert malloc_tracer.merge([a.trace, b.trace]).name == "merge of 2 traces"


def test_bad_arguments(tmp_path):
    one = traced(tmp_path, BEFORE, both)
    with pytest.raises(TypeError, match="earlier must be a Trace, not 3"):
        one.diff(3)
    with pytest.raises(TypeError, match="traces must be Trace objects, not 'x'"):
        malloc_tracer.merge([one, "x"])
    with pytest.raises(ValueError, match="at least one"):
        malloc_tracer.merge([])
