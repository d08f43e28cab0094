"""What writing, loading, comparing and adding up a trace of 111,111 nodes costs.

python benchmarks/reports.py [--rounds 7] [--cpu N] [--json FILE]
"""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import tempfile
from collections.abc import Callable
from time import perf_counter
from typing import Any

import malloc_tracer
import measure
from malloc_tracer._engine import formats

# Ten lines that call their own function: 10 + 100 + ... + 10**5 call paths, each with a block of its own.
SOURCE = "def fan(depth):\n    if depth:\n" + "        kept.append(fan(depth - 1) or bytearray(depth))\n" * 10


def traced(folder: str) -> malloc_tracer.Trace:
    path = os.path.join(folder, "fan.py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(SOURCE)
    namespace: dict[str, Any] = {"kept": []}
    exec(compile(SOURCE, path, "exec"), namespace)
    return malloc_tracer.trace(namespace["fan"], args=(5,), quiet=True)


def node_count(trace: malloc_tracer.Trace) -> int:
    count, left = 0, [trace.root]
    while left:
        count += 1
        left += left.pop().children
    return count


def times(rounds: int, work: Callable[[], object]) -> list[float]:
    """Milliseconds, least and median."""
    found = []
    for _ in range(rounds):
        gc.collect()
        started = perf_counter()
        result = work()
        found.append((perf_counter() - started) * 1e3)
        del result
    return [min(found), statistics.median(found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cpu", type=int, help="keep to this CPU")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    measure.pin(options.cpu)
    rows: list[list[Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        trace = traced(folder)
        for name, suffix, _ in formats():
            path = os.path.join(folder, "x" + suffix)
            took = times(options.rounds, lambda path=path: trace.save(path))
            rows.append([f"save as {name}", *took, f"{os.path.getsize(path) / 1e6:.1f}"])
        saved = os.path.join(folder, "x.json")
        loaded = malloc_tracer.load(saved)
        rows.append(["load", *times(options.rounds, lambda: malloc_tracer.load(saved)), ""])
        rows.append(["diff", *times(options.rounds, lambda: trace.diff(loaded)), ""])
        rows.append(["merge of two", *times(options.rounds, lambda: malloc_tracer.merge([trace, loaded])), ""])
    print(measure.machine())
    print(f"\nA trace of {node_count(trace):,} nodes, ms ({options.rounds} rounds)")
    print(measure.table(["", "min", "median", "MB"], rows))
    measure.save(options.json, lambda: {"rows": rows})


if __name__ == "__main__":
    main()
