"""What a scope adds to a malloc/free pair of native code, in the calling thread, in one thread and in two.

Builds native.cpp beside the other build files and calls it through ctypes, which releases the GIL. Inside and outside
of a scope alternate; "outside" is after the first scope, so with the patched slots in place.

    python benchmarks/native.py [--pairs 3000000] [--rounds 9] [--json FILE]
    valgrind --tool=callgrind python benchmarks/native.py --once --pairs 128000    # how many instructions a hook takes
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
from pathlib import Path
from typing import Any

import measure

SOURCE = Path(__file__).with_name("native.cpp")
LIBRARY = SOURCE.parent.parent / "build" / "benchmarks" / "native_pairs.so"
CALLER, BATCHES = 0, (1, 64)


def library() -> Any:
    """The compiled native.cpp. Without -fno-builtin the compiler removes a malloc that is only freed."""
    if not LIBRARY.exists() or LIBRARY.stat().st_mtime < SOURCE.stat().st_mtime:
        LIBRARY.parent.mkdir(parents=True, exist_ok=True)
        compiler = os.environ.get("CXX", "c++")
        flags = ["-O2", "-std=c++20", "-shared", "-fPIC", "-fno-builtin", "-pthread"]
        subprocess.run([compiler, *flags, "-o", str(LIBRARY), str(SOURCE)], check=True)
    loaded = ctypes.CDLL(str(LIBRARY))
    loaded.run.restype = ctypes.c_double
    loaded.run.argtypes = [ctypes.c_uint, ctypes.c_uint64, ctypes.c_size_t]
    return loaded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=3_000_000, help="per thread")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--once", action="store_true", help="in the calling thread, inside a scope, and nothing else")
    options = parser.parse_args()

    run = library().run
    import malloc_tracer

    if options.once:
        with malloc_tracer.Scope("native"):
            run(CALLER, options.pairs, 1)
        return
    print(measure.machine())
    pure = {batch: min(run(CALLER, options.pairs, batch) for _ in range(options.rounds)) for batch in BATCHES}
    with malloc_tracer.Scope("check") as scope:
        run(CALLER, 1000, 1)
    counted = scope.trace.allocated_count
    if not 1000 <= counted < 1100:
        print(f"warning: 1000 pairs in a scope, {counted} allocations recorded")

    result: dict[str, Any] = {}
    rows = []
    for batch in BATCHES:
        outside: dict[int, list[float]] = {0: [], 1: [], 2: []}
        inside: dict[int, list[float]] = {0: [], 1: [], 2: []}
        for _ in range(options.rounds):
            for threads in outside:
                outside[threads].append(run(threads, options.pairs, batch) / options.pairs)
                with malloc_tracer.Scope("native"):
                    inside[threads].append(run(threads, options.pairs, batch) / options.pairs)
        result[str(batch)] = {"never_traced": pure[batch] / options.pairs, "outside": outside, "inside": inside}
        for threads, name in {0: "the calling thread", 1: "one thread", 2: "two threads"}.items():
            out, within = min(outside[threads]), min(inside[threads])
            # Throughput of two threads over that of one: 2 is perfect.
            scaling = [f"{2 * min(side[1]) / min(side[2]):.2f}" if threads == 2 else "" for side in (outside, inside)]
            never = f"{pure[batch] / options.pairs:.1f}" if threads == 0 else ""
            rows.append(
                [f"{name}, batches of {batch}", never, f"{out:.1f}", f"{within:.1f}", f"{within - out:.1f}", *scaling]
            )
    print(f"\nns per malloc + free pair, minimum of {options.rounds} rounds of {options.pairs} pairs per thread")
    header = ["", "never traced", "outside", "inside a scope", "added", "scales, outside", "scales, inside"]
    print(measure.table(header, rows))
    measure.save(options.json, lambda: {"nanoseconds_per_pair": result})


if __name__ == "__main__":
    main()
