"""What tracing a loop of calls costs by how deep below the scope it runs (docs/decisions/002).

python benchmarks/depths.py [--depths 24] [--rounds 12]
"""

from __future__ import annotations

import argparse
import gc
from collections.abc import Callable
from time import perf_counter
from typing import Any

import measure
from workloads import Point


def one(i: int) -> list[int]:
    return [i]


def calls() -> None:
    for i in range(20_000):
        one(i)


def objects() -> list[Point]:
    return [Point(i, i + 1) for i in range(20_000)]


def seconds(work: Callable[[], Any]) -> float:
    started = perf_counter()
    result = work()
    del result
    return perf_counter() - started


def at(depth: int, work: Callable[[], Any]) -> float:
    return at(depth - 1, work) if depth else seconds(work)


def traced(depth: int, work: Callable[[], Any]) -> float:
    from malloc_tracer import Scope

    with Scope("depths"):
        return at(depth, work)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depths", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=12)
    options = parser.parse_args()
    gc.disable()
    print(f"{measure.machine()}. Traced/untraced (minima) of 20,000 calls, by depth below the scope")
    for work in (calls, objects):
        ratios = []
        for depth in range(options.depths):
            pairs = [(at(depth, work), traced(depth, work)) for _ in range(options.rounds)]
            ratios.append(min(b for _, b in pairs) / min(a for a, _ in pairs))
        print(f"{work.__name__:8}", " ".join(f"{ratio:.2f}" for ratio in ratios))


if __name__ == "__main__":
    main()
