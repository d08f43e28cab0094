"""Programs at random: live bytes and blocks of every line equal tracemalloc's, in the Python domains.

Hypothesis writes the program; on failure it prints the shortest that still differs. The interpreter's free lists are
off in both runs, so that tracemalloc sees what we see.
"""

from __future__ import annotations

import gc
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, given, note, reject, settings
from hypothesis import strategies as st

from engine import check, result_of, tracemalloc_lines
from malloc_tracer import _engine

pytestmark = pytest.mark.skipif(
    sys.version_info < (3, 11), reason="before 3.11 tracemalloc counts frames kept for later"
)
FILE = "<random program>"

# What the random parts may use: each a kind of code that allocates in its own way.
PROLOGUE = '''
import contextlib, dataclasses

@dataclasses.dataclass
class Point:
    x: object
    y: object

class Slotted:
    __slots__ = ("value", "other")
    def __init__(self, value):
        self.value = [value]
        self.other = None

class Open:
    def __init__(self, value):
        self.value = value
    def __enter__(self):
        return [self.value]
    def __exit__(self, *error):
        return True

def closure(value):
    cell = [value]
    def inner(more=0):
        return cell, more
    return inner

def generator(count):
    for each in range(count):
        yield [each, each * 1000]

def delegating(count):
    yield (count,)
    yield from generator(count)

def failing(depth, value):
    here = [value] * depth
    if depth <= 0:
        raise ValueError(here)
    return failing(depth - 1, here) + here

class Step:
    def __await__(self):
        yield
        return [1.5]

async def awaiting(count):
    rows = []
    for each in range(count):
        rows.append((each, await Step()))
    return rows

def run(coroutine):
    try:
        while True:
            coroutine.send(None)
    except StopIteration as stop:
        return stop.value

def nested(depth, make):
    return [nested(depth - 1, make)] if depth > 0 else make()

# The first instances of a class are larger: the keys that they share have room for attributes to come.
for _ in range(60):
    Point(0, 0), Open(0)
'''  # fmt: skip

NAMES = ("a", "b", "c")
numbers = st.integers(0, 40)
names = st.sampled_from(NAMES)


def with_parts(*templates: str):
    """Expressions made of smaller ones: {e} and {f} are expressions, {k} a number, {n} a name."""

    def extend(smaller):
        return st.builds(
            lambda template, e, f, k, n: template.format(e=e, f=f, k=k, n=n),
            st.sampled_from(templates), smaller, smaller, numbers, names,
        )  # fmt: skip

    return extend


expressions = st.recursive(
    st.builds(
        lambda template, k, n: template.format(k=k, n=n),
        st.sampled_from(
            ["{k}", "{n}", "i", "i * 1000 + {k}", "{k} * 0.5 * i", "str(i) * {k}", "b'x' * ({k} * i)", "f'{{i}}-{k}'"]
        ),
        numbers,
        names,
    ),
    with_parts(
        "[{e}, {f}]",
        "({e}, {f}, i)",
        "{{{k}: {e}, 'other': {f}}}",
        "[{e} for i in range({k})]",
        "{{i: {e} for i in range({k})}}",
        "{{i * 1000 for i in range({k})}}",
        "list(generator({k}))",
        "generator({k})",
        "list(delegating({k}))",
        "Point({e}, {f})",
        "Slotted({e})",
        "closure({e})",
        "closure({e})({f})",
        "(lambda {n}=0: [{e}, {f}])()",
        "run(awaiting({k}))",
        "nested({k} % 5, lambda: [{e}])",
        "''.join([str(each) for each in range({k})])",
        "sorted([each * 7 % 13 for each in range({k})])",
        "bytearray({k} * 50)",
        "[*[{e}], *({f},)]",
        "slice({e}, {k})",
        "frozenset(range({k}))",
    ),
    max_leaves=6,
)


def indented(statements: list[str]) -> str:
    return textwrap.indent("\n".join(statements) or "pass", "    ")


def compound(smaller):
    blocks = st.lists(smaller, min_size=1, max_size=3).map(indented)
    return st.one_of(
        st.builds("for i in range({}):\n{}".format, st.integers(0, 6), blocks),
        st.builds("if i % 2:\n{}\nelse:\n{}".format, blocks, blocks),
        st.builds("with Open({}) as {}:\n{}".format, expressions, names, blocks),
        st.builds("try:\n{}\n    failing({}, i)\nexcept ValueError as error:\n{}".format, blocks, numbers, blocks),
        st.builds("for i, _ in generator({}):\n{}\n    if i == {}: break".format, st.integers(0, 6), blocks, numbers),
    )


statements = st.recursive(
    st.one_of(
        st.builds("{} = {}".format, names, expressions),
        st.builds("kept.append({})".format, expressions),
        st.builds("kept += [{}]".format, expressions),
        st.builds("{} = None".format, names),
        st.builds("del kept[:{}]".format, numbers),
        st.builds("kept[:0] = [{}, {}]".format, expressions, expressions),
        st.builds("{} = [{},\n    {},\n]".format, names, expressions, expressions),
    ),
    compound,
    max_leaves=12,
)
programs = st.lists(statements, min_size=1, max_size=8).map(
    lambda body: (
        PROLOGUE
        + "\ndef program():\n    kept, i = [], 3\n    a = b = c = None\n"
        + indented(body)
        + "\n    return kept, a, b, c\n"
    )
)


def of_ours(program) -> dict[int, tuple[int, int]]:
    handle = _engine.ScopeHandle("ours", True)
    handle.enter()
    result = program()
    handle.leave()
    data = check(result_of(handle))
    del result
    return {
        line.number: (line.self.live_bytes, line.self.live_count)
        for line in data.lines
        if line.file == FILE and line.self.live_count
    }


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(programs)
def test_live_bytes_and_blocks_of_every_line_equal_tracemallocs(text):
    note(text)
    namespace = {}
    exec(compile(text, FILE, "exec"), namespace)
    program = namespace["program"]
    gc.collect()
    gc.disable()
    try:
        try:
            for _ in range(3):
                program()
        except NameError:  # 3.12 and later: a comprehension that fails may leave a captured `i` without a value
            reject()
        theirs, ours = tracemalloc_lines(program, FILE), of_ours(program)
    finally:
        gc.enable()
    assert ours == theirs
