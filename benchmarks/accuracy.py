"""Forty small programs of known truth under malloc_tracer, tracemalloc and memray: the truth beside what each says.

python benchmarks/accuracy.py [--only NAME...] [--json FILE]      needs memray, numpy, a C compiler and Python's headers

Each program runs in a process of its own under each tool, after two unmeasured runs, so that what the interpreter
caches is there. Each cell: live bytes / live blocks / peak bytes / blocks allocated; "-" where the tool has no such
number or the program leaves it open. Numbers that differ from the truth are bold. Exit status 1 if one of ours does.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import astuple
from typing import Any

import measure
from accuracy_tools import TOOLS, Numbers

HERE = os.path.dirname(os.path.abspath(__file__))
FLAGS = ["-O1", "-fno-builtin", "-fPIC", "-shared", "-pthread", "-w"]


def build(folder: str) -> None:
    """The extension module accuracy_native, and the libraries that it loads."""
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise SystemExit("needs a C compiler")
    places = [f"-I{sysconfig.get_path('include')}", f'-DACCURACY_FOLDER="{folder}"']
    for path, library, *more in (
        ("../tests/python/native_helper.c", "native_helper.so"),
        ("accuracy_constructor.c", "accuracy_constructor.so"),
        ("accuracy_constructor.c", "idle_for_constructor.so", "-DBLOCKS=0"),  # a name as long: the loader keeps it
        ("accuracy_native.c", "accuracy_native.so"),
    ):
        files = [os.path.join(HERE, path), "-o", os.path.join(folder, library)]
        subprocess.run([compiler, *FLAGS, *places, *more, *files, "-lstdc++"], check=True)


def measured(program_name: str, tool: str) -> Numbers:
    """What the tool says of the program, in this process."""
    import accuracy_programs

    program = accuracy_programs.PROGRAMS[program_name]
    for run in (program.run, program.beside) * 2:
        if run is not None:
            program.before()
            run()
            program.after()
    gc.collect()
    gc.disable()

    def numbers_of(run: Callable[[], Any]) -> Numbers:
        program.before()
        numbers = TOOLS[tool](run, accuracy_programs.__file__)
        program.after()
        return numbers

    if program.beside is None:
        return numbers_of(program.run)
    live_bytes, live_count, _, allocated_count = numbers_of(program.beside)
    # At the peak of `run` only what `beside` keeps is there of it.
    own = zip(numbers_of(program.run), (live_bytes, live_count, live_bytes, allocated_count))
    return [None if number is None or part is None else number - part for number, part in own]


def cell(numbers: Numbers, truth: Numbers) -> str:
    """The four numbers, those that differ from the truth bold."""

    def one(number: int | None, right: int | None) -> str:
        if number is None or right is None:
            return "-"
        return f"{number:,}" if number == right else f"**{number:,}**"

    return " / ".join(map(one, numbers, truth))


def is_right(numbers: Numbers, truth: Numbers) -> bool:
    return all(number in (None, right) or right is None for number, right in zip(numbers, truth))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", metavar="NAME", help="programs whose name contains one of these")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(measured(*options.child)))
        return 0

    with tempfile.TemporaryDirectory() as folder:
        build(folder)
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH")]))
        sys.path.insert(0, folder)
        import accuracy_programs

        rows: list[list[str]] = []
        result: dict[str, dict[str, Numbers]] = {}
        for name, program in accuracy_programs.PROGRAMS.items():
            if options.only and not any(part in name for part in options.only):
                continue
            truth = list(astuple(program.truth))
            said = {tool: measure.in_child("--child", name, tool) for tool in TOOLS}
            right = [tool for tool, numbers in said.items() if is_right(numbers, truth)]
            cells = [cell(said[tool], truth) for tool in TOOLS]
            rows.append([name, cell(truth, truth), *cells, "; ".join(right) or "none"])
            result[name] = {"truth": truth, **said}
    print(measure.machine() + "\n")
    print(measure.table(["program", "truth", *TOOLS, "right"], rows))
    print()
    wrong = {tool: {name for name, row in result.items() if not is_right(row[tool], row["truth"])} for tool in TOOLS}
    for tool, names in wrong.items():
        print(f"{tool}: {len(result) - len(names)} of {len(result)} programs right")
    measure.save(options.json, lambda: {"programs": result})
    return int(bool(wrong["ours"]))


if __name__ == "__main__":
    sys.exit(main())
