"""The Trace object: what it holds, that it adds up, that it cannot be changed."""

import dataclasses
import json
import threading

import pytest

import malloc_tracer
from engine import COUNTERS, lost
from sizes import OLD_LISTS, array


def helper(size):
    return bytearray(size)


def target():
    kept = helper(8000)
    size = len(kept)
    for _ in range(10):
        b"x" * size
    grown = bytearray(10)
    grown += bytes(5000)
    held = []
    thread = threading.Thread(target=lambda: held.append(helper(300)), name="side")
    thread.start()
    thread.join()
    return kept, grown, held, thread


@pytest.fixture(scope="module")
def trace():
    target()  # before 3.11 first calls leave their frames, blocks like others
    return malloc_tracer.trace(target, quiet=True)


def test_every_list_adds_up(trace):
    nodes, left = [], [trace.root]
    while left:
        node = left.pop()
        nodes.append(node)
        left += node.children
    for name in COUNTERS:
        own = getattr(trace, name)
        for places in (trace.lines, trace.functions, trace.files, trace.threads, trace.allocators, nodes):
            assert sum(getattr(place.self, name) for place in places) == own, name
    assert trace.root.total.live_bytes == trace.live_bytes


def test_live_peak_allocated(trace):
    assert trace.live_bytes == trace.allocated_bytes - trace.freed_bytes
    assert trace.live_count == trace.allocated_count - trace.freed_count
    assert trace.live_bytes <= trace.peak_bytes <= trace.allocated_bytes
    assert trace.temporary_count >= 10
    assert trace.reallocated_count >= 1
    assert lost(trace) == {}


def test_places(trace):
    first = target.__code__.co_firstlineno
    line = trace.line(target, first + 1)
    assert (line.file, line.number) == (__file__, first + 1)
    assert (line.self.live_bytes, line.total.live_bytes) == (0, array(8000))
    assert trace.line("target", first + 1).total.live_bytes == array(8000)
    assert trace.line(__file__, first + 1).total.live_bytes == array(8000)
    inner = trace.line(helper, helper.__code__.co_firstlineno + 1)
    assert (inner.function, inner.self.live_bytes, inner.self.live_count) == ("helper", array(8000) + array(300), 4)
    assert trace.line(target, 1).total.allocated_count == 0
    names = {function.name: function.file for function in trace.functions}
    assert names["helper"] == names["target"] == __file__
    kinds = {file.name: file.kind for file in trace.files}
    assert kinds[__file__] == "yours"
    assert kinds[threading.__file__] == "library"
    assert {"side", "MainThread"} == {thread.name for thread in trace.threads}
    assert {thread.id for thread in trace.threads} >= {threading.main_thread().native_id}


def test_line_of_a_decorated_function_is_that_of_the_function_inside(trace):
    import functools

    wrapped = functools.lru_cache(target)
    first = target.__code__.co_firstlineno
    assert trace.line(wrapped, first + 1).total.live_bytes == array(8000)


def test_tree(trace):
    names = set()
    left = [trace.root]
    assert trace.root.parent is None
    while left:
        node = left.pop()
        for child in node.children:
            assert child.parent.frame.function == node.frame.function
            names.add((child.frame.function, child.frame.kind))
            left.append(child)
    assert ("target", "yours") in names
    assert ("helper", "yours") in names


def test_lists_are_sorted_largest_first(trace):
    for places in (trace.lines, trace.functions, trace.files):
        order = [(-place.total.live_bytes, -place.total.allocated_bytes) for place in places]
        assert order == sorted(order)


def test_timeline(trace):
    assert 0 < len(trace.timeline) <= 1024
    assert trace.peak_bytes in [live for _, live in trace.timeline]
    times = [moment for moment, _ in trace.timeline]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= trace.duration_ns


def test_python_version_and_duration(trace):
    import platform

    assert trace.python_version == platform.python_version()
    assert trace.duration_ns > 0


def test_repr(trace):
    text = repr(trace)
    assert text.startswith("<Trace 'target': live ")
    assert f" in {trace.live_count:,} blocks, peak " in text
    assert text.endswith(" ms, lost 1>" if OLD_LISTS else " ms>")
    with malloc_tracer.Scope("a" * 500) as scope:
        pass
    assert len(repr(scope.trace)) <= 160
    assert "..." in repr(scope.trace)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (8096, "7.9 KiB"),
        (1024 * 1024 - 1, "1.0 MiB"),
        (3992760, "3.8 MiB"),
        (1024**3, "1.0 GiB"),
        (5000 * 1024**4, "5000.0 TiB"),
    ],
)
def test_sizes(count, text):
    assert malloc_tracer._sizes.size(count) == text


def test_to_dict_holds_every_number_and_is_json(trace):
    made = json.loads(json.dumps(trace.to_dict()))
    for name in (*COUNTERS, "name", "duration_ns", "python_version", "lost"):
        assert made[name] == getattr(trace, name)
    assert [line["self"]["live_bytes"] for line in made["lines"]] == [line.self.live_bytes for line in trace.lines]
    assert made["files"][0]["name"] == trace.files[0].name
    assert made["timeline"] == [list(point) for point in trace.timeline]
    nodes = made["nodes"]
    assert nodes[0]["parent"] is None
    assert all(node["parent"] < index for index, node in enumerate(nodes) if index)
    assert sum(node["self"]["allocated_count"] for node in nodes) == trace.allocated_count


@pytest.mark.parametrize("name", [*COUNTERS, "name", "result", "lines", "root", "lost", "invented"])
def test_a_trace_cannot_be_changed(trace, name):
    with pytest.raises(AttributeError):
        setattr(trace, name, 1)


def test_numbers_of_places_cannot_be_changed(trace):
    with pytest.raises((AttributeError, TypeError, dataclasses.FrozenInstanceError)):
        trace.lines[0].self.live_bytes = 1
    before = len(trace.lines)
    trace.lines.clear()
    assert len(trace.lines) == before


def test_a_trace_outlives_its_target_and_keeps_nothing_but_the_result_alive():
    import gc
    import weakref

    class Thing:
        pass

    def made():
        thing = Thing()
        seen.append(weakref.ref(thing))
        return bytearray(8000)

    seen = []
    trace = malloc_tracer.trace(made, quiet=True)
    gc.collect()
    assert seen[0]() is None
    text = str(trace)
    del made
    gc.collect()
    assert str(trace) == text
