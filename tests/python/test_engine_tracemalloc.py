"""Per line, live bytes and blocks of the Python domains equal tracemalloc's."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import gc
import json
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine import trace_block, trace_call, tracemalloc_lines


def comprehension() -> Any:
    rows = [i * 1000 for i in range(2000)]
    text = {str(i): i for i in rows}
    return rows, text, {i for i in rows}


def containers() -> Any:
    tuples = [(i, float(i)) for i in range(500)]
    nested = {"a": [1.5 * i for i in range(300)], "b": ({}, [], (1.25,) * 3)}
    queue = collections.deque(range(1000, 1400))
    frozen = frozenset(range(100))
    return tuples, nested, queue, frozen


def strings() -> Any:
    parts = []
    for i in range(300):
        parts.append("x" * i)
        parts[-1] += str(i)
    joined = "".join(parts)
    return parts, joined.encode(), joined.upper()


@dataclasses.dataclass
class Point:
    x: float
    y: list[int]


class Slotted:
    __slots__ = ("value", "other")

    def __init__(self, value: int) -> None:
        self.value = [value]
        self.other = None


def objects() -> Any:
    points = [Point(i * 0.5, [i]) for i in range(400)]
    slotted = [Slotted(i) for i in range(400)]
    bound = [p.__eq__ for p in points]
    return points, slotted, bound


def numbers() -> Iterator[list[int]]:
    for i in range(200):
        yield [i, i * 1000]


def generators() -> Any:
    kept = list(numbers())
    waiting = numbers()
    first = next(waiting)
    return kept, waiting, first


def failing(depth: int) -> list[int]:
    here = [depth] * 10
    if depth == 0:
        raise ValueError(here)
    return failing(depth - 1) + here


def exceptions() -> Any:
    kept = []
    for i in range(30):
        try:
            failing(i)
        except ValueError as error:
            kept.append(error.with_traceback(None))
    return kept


def closures() -> Any:
    def make(n: int) -> Callable[[], list[int]]:
        cell = [n]

        def inner() -> list[int]:
            return cell

        return inner

    return [make(i) for i in range(200)]


def churn() -> Any:
    kept = None
    for i in range(3000):
        kept = [i, (i, i + 0.5), {"k": i}, slice(i, i + 1)]
    return kept


def parsing() -> Any:
    text = json.dumps([{"id": i, "name": f"n{i}", "values": [i * 0.5, None]} for i in range(200)])
    return json.loads(text), re.findall(r"n\d+", text)


async def step(n: int) -> list[int]:
    here = [n] * 5
    await asyncio.sleep(0)
    return here


async def gather() -> Any:
    return await asyncio.gather(*[step(i) for i in range(50)])


def tasks() -> Any:
    return asyncio.run(gather())


PROGRAMS = [comprehension, containers, strings, objects, generators, exceptions, closures, churn, parsing, tasks]


def our_lines(program: Callable[[], Any]) -> dict[int, tuple[int, int]]:
    data, result = trace_block(program)
    del result
    return {
        line.number: (line.self.live_bytes, line.self.live_count)
        for line in data.lines
        if line.file == __file__ and line.self.live_count
    }


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_live_bytes_and_blocks_of_every_line_equal_tracemallocs(program: Callable[[], Any]) -> None:
    gc.collect()
    gc.disable()
    try:
        program()
        program()
        theirs = tracemalloc_lines(program, __file__)
        ours = our_lines(program)
    finally:
        gc.enable()
    call = theirs.keys() - ours.keys()
    assert {line: theirs[line] for line in theirs if line not in call} == ours
    # tracemalloc's block runs inside its caller, so the caller's line holds the bound result as well; before 3.11 lines
    # of calls hold frames that the interpreter keeps, and in 3.9 contexts and tables of keys of the tasks that ran.
    most = 1 if sys.version_info >= (3, 11) else 2 if sys.version_info >= (3, 10) else 22
    assert all(theirs[line][1] <= most for line in call), theirs


def test_the_function_scope_sees_the_same_as_the_block() -> None:
    comprehension()
    in_function, kept = trace_call(comprehension)
    del kept
    in_block, kept = trace_block(comprehension)
    del kept
    assert in_function.sum == in_block.sum
