"""What entering and leaving a scope costs: the first one of a process, and those after it.

python benchmarks/scope.py [--count 20000] [--nested 1000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
from time import perf_counter, perf_counter_ns, process_time_ns
from typing import Any

import measure


def first() -> dict[str, float]:
    """Milliseconds of the import, the first use, the first enter and the first leave, in a process of its own."""
    started = perf_counter()
    import malloc_tracer

    imported = perf_counter()
    scope = malloc_tracer.Scope("first")  # the first use of any name imports the front end
    before = perf_counter()
    scope.__enter__()
    entered = perf_counter()
    scope.__exit__(None, None, None)
    left = perf_counter()
    return {
        "import": (imported - started) * 1e3,
        "first use": (before - imported) * 1e3,
        "enter": (entered - before) * 1e3,
        "leave": (left - entered) * 1e3,
    }


def fill_free_lists() -> None:
    floats = [float(i) for i in range(200)]
    things = [(i,) for i in range(200)] + [[i] for i in range(200)] + [{i: i} for i in range(200)]
    del floats, things


def later(count: int, full: bool) -> list[float]:
    """Nanoseconds of each `enter + leave` pair of a fresh scope, the clock's own cost taken off."""
    from malloc_tracer import Scope

    clock = min(-(perf_counter_ns() - perf_counter_ns()) for _ in range(1000))
    pairs = []
    for _ in range(count):
        if full:
            fill_free_lists()
        scope = Scope("later")
        started = perf_counter_ns()
        scope.__enter__()
        scope.__exit__(None, None, None)
        pairs.append(float(perf_counter_ns() - started - clock))
    return pairs


def batch(count: int) -> float:
    """Nanoseconds per scope of a whole loop: making the object, entering, leaving, dropping it."""
    from malloc_tracer import Scope

    started = perf_counter_ns()
    for _ in range(count):
        with Scope("later"):
            pass
    return (perf_counter_ns() - started) / count


def nested(count: int, outer_first: bool) -> float:
    """Microseconds (processor time) to leave one of `count` scopes that were open at once, each with its own blocks."""
    from malloc_tracer import Scope

    scopes = [Scope(str(i)) for i in range(count)]
    kept = []
    for scope in scopes:
        scope.__enter__()
        kept.append([bytearray(100) for _ in range(10)])
        kept[-1].pop()
    started = process_time_ns()
    for scope in scopes if outer_first else reversed(scopes):
        scope.__exit__(None, None, None)
    return (process_time_ns() - started) / 1e3 / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--nested", type=int, default=1_000, help="scopes open at once")
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--cpu", type=int, help="keep to this CPU")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    measure.pin(options.cpu)
    if options.child:
        print(json.dumps(first()))
        return

    print(measure.machine())
    firsts = [measure.in_child("--child") for _ in range(options.processes)]
    print(f"\nThe first scope of a process ({options.processes} processes), ms")
    rows: list[list[Any]] = []
    for what in firsts[0]:
        values = [run[what] for run in firsts]
        rows.append([what, min(values), statistics.median(values)])
    print(measure.table(["", "min", "median"], rows))

    later(options.count // 10, full=False)
    pairs = later(options.count, full=False)
    drained = later(options.count // 10, full=True)
    print(f"\nEach scope after it, enter + leave ({options.count} scopes), µs")
    rows = [
        ["free lists empty", min(pairs) / 1e3, statistics.median(pairs) / 1e3],
        ["free lists full, to be drained", min(drained) / 1e3, statistics.median(drained) / 1e3],
    ]
    print(measure.table(["", "min", "median"], rows))
    whole = min(batch(options.count // 10) for _ in range(10))
    print(f"`with Scope(): pass`, object made and dropped: {whole / 1e3:.2f} µs")

    print("\nLeaving one of many scopes that are open at once, µs")
    counts = [max(1, options.nested // part) for part in (8, 4, 2, 1)]
    many = [[str(count), nested(count, False), nested(count, True)] for count in counts]
    print(measure.table(["open", "inner first", "outer first"], many))
    measure.save(
        options.json,
        lambda: {"first_ms": firsts, "pairs_ns": pairs, "drained_ns": drained, "whole_ns": whole, "nested_us": many},
    )


if __name__ == "__main__":
    main()
