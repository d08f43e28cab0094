"""What each tool says of a program: four numbers in the order of Truth, None where the tool has no such number.

Ours is the scope's own sum. The others record the whole process, their own beginning and end too, so of theirs only
what has a frame of the program on its stack counts, or no Python frame at all (C threads).
"""

from __future__ import annotations

import os
import tempfile
import tracemalloc
from collections.abc import Callable, Iterable
from typing import Any, Optional

Numbers = list[Optional[int]]
Run = Callable[[], Any]


def ours(run: Run, programs_file: str) -> Numbers:
    import malloc_tracer

    scope = malloc_tracer.Scope("accuracy")
    with scope:
        run()
    trace = scope.trace
    if any("3.9 cannot switch its free lists off" not in what for what in trace.lost):
        raise SystemExit(f"lost: {trace.lost}")
    return [trace.live_bytes, trace.live_count, trace.peak_bytes, trace.allocated_count]


def with_tracemalloc(run: Run, programs_file: str) -> Numbers:
    tracemalloc.start()
    run()
    peak = tracemalloc.get_traced_memory()[1]
    snapshot = tracemalloc.take_snapshot()
    tracemalloc.stop()
    live = snapshot.filter_traces([tracemalloc.Filter(True, programs_file)]).traces
    return [sum(trace.size for trace in live), len(live), peak, None]


def with_memray(python_allocators: bool) -> Callable[[Run, str], Numbers]:
    def measure(run: Run, programs_file: str) -> Numbers:
        import memray

        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "memray.bin")
            with memray.Tracker(path, trace_python_allocators=python_allocators):
                run()
            return memray_numbers(memray.FileReader(path), programs_file)

    return measure


def memray_numbers(reader: Any, programs_file: str) -> Numbers:
    from memray import AllocatorType

    frees = {kind for kind in AllocatorType if kind.name.endswith(("FREE", "MUNMAP"))}

    def of_the_program(records: Iterable[Any]) -> list[Any]:
        found = []
        for record in records:
            if record.allocator not in frees:
                stack = record.stack_trace()
                if not stack or any(file == programs_file for _, file, _ in stack):
                    found.append(record)
        return found

    live = of_the_program(reader.get_leaked_allocation_records(merge_threads=True))
    peak = of_the_program(reader.get_high_watermark_allocation_records(merge_threads=True))
    return [
        sum(record.size for record in live),
        sum(record.n_allocations for record in live),
        sum(record.size for record in peak),
        len(of_the_program(reader.get_allocation_records())),
    ]


TOOLS: dict[str, Callable[[Run, str], Numbers]] = {
    "ours": ours,
    "tracemalloc": with_tracemalloc,
    "memray": with_memray(False),
    "memray, Python allocators": with_memray(True),
}
