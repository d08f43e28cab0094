"""How long the result takes: leaving a scope with 1,000,000 live blocks, building its trace, printing it.

Two shapes: all blocks from one line, and from 1,000 lines at the ends of 1,000 call paths.

    python benchmarks/report.py [--blocks 1000000] [--rounds 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import io
import linecache
import statistics
from collections.abc import Callable
from time import perf_counter
from typing import Any

import measure


def one_line(blocks: int) -> list[bytes]:
    return [bytes(15) for _ in range(blocks)]


def thousand_paths() -> Callable[[int], Any]:
    """A program of 1 + 10 + 100 functions whose last ones allocate on ten lines each."""
    lines = []
    for i in range(100):
        lines.append(f"def leaf{i}(held, n):")
        lines += ["    held.extend([bytes(15) for _ in range(n)])"] * 10
    for i in range(10):
        lines.append(f"def middle{i}(held, n):")
        lines += [f"    leaf{i * 10 + j}(held, n)" for j in range(10)]
    lines.append("def top(blocks):")
    lines += ["    held = []", *(f"    middle{i}(held, blocks // 1000)" for i in range(10)), "    return held"]
    source = "\n".join(lines) + "\n"
    linecache.cache["<thousand_paths>"] = (len(source), None, source.splitlines(keepends=True), "<thousand_paths>")
    namespace: dict[str, Any] = {}
    exec(compile(source, "<thousand_paths>", "exec"), namespace)
    return namespace["top"]


def times(program: Callable[[int], Any], blocks: int) -> dict[str, float]:
    """Milliseconds of each step; what the program made stays alive."""
    import malloc_tracer

    scope = malloc_tracer.Scope("report")
    scope.__enter__()
    held = program(blocks)
    started = perf_counter()
    scope.__exit__(None, None, None)
    left = perf_counter()
    trace = scope.trace
    built = perf_counter()
    trace.print(file=io.StringIO())
    printed = perf_counter()
    if trace.live_count < blocks:
        raise SystemExit(f"only {trace.live_count} of {blocks} live blocks in the trace")
    del held
    return {
        "leave": (left - started) * 1e3,
        "build": (built - left) * 1e3,
        "print": (printed - built) * 1e3,
        "build + print": (printed - left) * 1e3,
        "all": (printed - started) * 1e3,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", type=int, help="keep to this CPU")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    measure.pin(options.cpu)

    print(measure.machine())
    result = {}
    for name, program in {"one line": one_line, "1,000 paths": thousand_paths()}.items():
        runs = [times(program, options.blocks) for _ in range(options.rounds)]
        result[name] = runs
        rows = [[step, min(r[step] for r in runs), statistics.median(r[step] for r in runs)] for step in runs[0]]
        print(f"\n{options.blocks} live blocks, {name} ({options.rounds} rounds), ms")
        print(measure.table(["", "min", "median"], rows))
    measure.save(options.json, lambda: {"milliseconds": result})


if __name__ == "__main__":
    main()
