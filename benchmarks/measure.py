"""What the benchmarks share: tables, child processes, resident memory, the machine's name."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table, its columns aligned; floats with two decimals."""
    text = [[f"{cell:.2f}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(header, *text)]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join([cells[0].ljust(widths[0]), *map(str.rjust, cells[1:], widths[1:])]) + " |"

    rule = "|" + "|".join("-" * (width + 1) + ("-" if i == 0 else ":") for i, width in enumerate(widths)) + "|"
    return "\n".join([line(list(header)), rule, *map(line, text)])


def machine() -> str:
    """One line: interpreter, processor, number of CPUs, load."""
    processor = platform.processor()
    try:
        with open("/proc/cpuinfo") as file:
            processor = next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    load = os.getloadavg()[0]
    return f"CPython {platform.python_version()}, {processor}, {os.cpu_count()} CPUs, load {load:.1f}"


def pin(cpu: int | None) -> None:
    """Keeps this process and its children on one CPU."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})


def resident_bytes() -> int:
    """The memory of this process that is in RAM."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def in_child(*arguments: str) -> Any:
    """Runs the calling script again with these arguments, and returns the JSON that it prints last."""
    environment = dict(os.environ, PYTHONHASHSEED="0")
    done = subprocess.run(
        [sys.executable, os.path.abspath(sys.argv[0]), *arguments], env=environment, stdout=subprocess.PIPE, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def save(path: str | None, result: Callable[[], dict[str, Any]]) -> None:
    """Writes the result with the machine's description as JSON, if a path is given."""
    if path:
        with open(path, "w") as file:
            json.dump({"machine": machine(), **result()}, file, indent=1)
            file.write("\n")
