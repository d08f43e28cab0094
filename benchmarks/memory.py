"""How much memory the tracer takes for each live block: 1,000,000 objects of 48 bytes alive, traced against untraced.

Resident memory grows by so much between just before the scope opens and all objects alive, in child processes of each
kind; what the tracer needs once per process is therefore in the figure. tracemalloc stands beside it.

    python benchmarks/memory.py [--blocks 1000000] [--json FILE]
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import tracemalloc

import measure


def grown(kind: str, blocks: int) -> int:
    """Bytes of resident memory that `blocks` live objects of 48 bytes take in this process."""
    payload = 48 - sys.getsizeof(b"")
    held: list[bytes | None] = [None] * blocks
    gc.collect()
    if kind == "ours":
        import malloc_tracer

        scope = malloc_tracer.Scope("memory")
        before = measure.resident_bytes()
        with scope:
            for i in range(blocks):
                held[i] = bytes(payload)
            after = measure.resident_bytes()
        counted = scope.trace.live_count
        if counted < blocks:
            raise SystemExit(f"only {counted} of {blocks} blocks were recorded")
        return after - before
    before = measure.resident_bytes()
    if kind.startswith("tracemalloc"):
        tracemalloc.start(int(kind.removeprefix("tracemalloc")))
    for i in range(blocks):
        held[i] = bytes(payload)
    return measure.resident_bytes() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(grown(options.child, options.blocks)))
        return

    print(measure.machine())
    kinds = ["untraced", "ours", "tracemalloc1", "tracemalloc25"]
    runs: dict[str, list[int]] = {kind: [] for kind in kinds}
    for _ in range(options.processes):
        for kind in kinds:
            runs[kind].append(measure.in_child("--child", kind, "--blocks", str(options.blocks)))
    untraced = statistics.median(runs["untraced"])
    rows = []
    for kind in kinds:
        median = statistics.median(runs[kind])
        added = (median - untraced) / options.blocks
        rows.append([kind, f"{median / 2**20:.1f}", f"{added:.1f}"])
    print(f"\n{options.blocks} live blocks of 48 bytes, median of {options.processes} processes")
    print(measure.table(["", "MiB grown", "added bytes per block"], rows))
    measure.save(options.json, lambda: {"grown_bytes": runs, "blocks": options.blocks})


if __name__ == "__main__":
    main()
