"""Barriers: whatever moves stacks about, every event has the path of a walk from scratch, and none is one too many.

In a checked build a path that differs stops the process; other builds have nothing to compare.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

import hazards
from engine import check, trace_call
from malloc_tracer import _engine


@pytest.fixture(autouse=True)
def no_collections():
    gc.disable()
    yield
    gc.enable()
    hazards.KEPT.clear()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork with threads
@pytest.mark.parametrize("hazard", hazards.HAZARDS, ids=lambda hazard: hazard.__name__)
def test_hazard(hazard):
    hazards.CHANCE.seed(7)
    try:
        hazards.scope(hazard)
    except ImportError as error:
        pytest.skip(str(error))


def test_first_scope_deep_down():
    hazards.scope(hazards.ups_and_downs)
    hazards.first_scope_deep_down()


@pytest.mark.skipif(
    not getattr(sys, "_jit", None) or not sys._jit.is_available(), reason="needs a Python with a just-in-time compiler"
)
def test_hazards_compiled_just_in_time():
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", hazards.__file__, "--events", "1"],
        env={"PYTHON_JIT": "1", "PYTHONPATH": str(Path(_engine.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}{done.stderr}"
    assert " JIT " in done.stdout


class Plain:
    def __init__(self, first):
        self.own = [first]


class Long:
    def __init__(self, a, b, c, d, e, f):
        self.own = [a]


class Bare:
    def __init__(self):
        self.own = [1]


def plain():
    return [Plain(1) for _ in range(20)]


def long():
    return [Long(1, 2, 3, 4, 5, 6) for _ in range(20)]


def bare():
    return [Bare() for _ in range(20)]


def at(depth, make):
    return at(depth - 1, make) if depth else make()


@pytest.mark.skipif(
    sys.version_info[:2] in ((3, 9), (3, 10), (3, 13)),
    reason="3.13 does not say which class is called; before 3.11 every level has a frame on the heap",
)
@pytest.mark.parametrize("make", [plain, long, bare])
def test_a_constructor_call_costs_the_same_at_every_depth(make):
    """Where `__init__` becomes a barrier the interpreter makes a tuple of the arguments, which is ours."""
    for _ in range(5):
        make()
    numbers = set()
    for depth in range(25):
        data, kept = trace_call(at, depth, make)
        numbers.add((check(data).sum.allocated_count, data.sum.allocated_bytes))
        del kept
    assert len(numbers) == 1, numbers


@pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="only here that tuple tells how many barriers were made")
def test_a_loop_makes_no_barrier_with_each_call():
    """Code whose barriers die at once waits twice as long before the next one."""

    def loop():
        return [Plain(1) for _ in range(2000)]

    loop()
    counts = []
    for depth in range(12):
        data, kept = trace_call(at, depth, loop)
        counts.append(check(data).sum.allocated_count)
        del kept
    assert max(counts) - counts[0] < 60, counts
