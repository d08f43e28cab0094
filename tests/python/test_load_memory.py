"""What `load` takes of memory for files that are made to take much: never more than 20 times the file."""

import json
import os
import subprocess
import sys

import pytest

import malloc_tracer

SIZE = 8_000_000

LOAD = """
import re, sys, malloc_tracer

def most():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024

malloc_tracer.load(sys.argv[1])  # whatever the first call takes
before = most()
try:
    malloc_tracer.load(sys.argv[2])
except malloc_tracer.MallocTracerError:
    pass
print(most() - before)
"""


def add(table, count, **columns):
    """Rows of zeros but for what `columns` say, a function from the new row's index to its number."""
    for name, column in table.items():
        column += [columns[name](index) if name in columns else 0 for index in range(count)]


def strings(file):
    file["strings"] += [""] * (SIZE // 3)


def threads(file):
    add(file["threads"], SIZE // 10, id=lambda index: index)


def allocators(file):
    known = len(file["strings"])
    file["strings"] += [str(index) for index in range(SIZE // 16)]
    add(file["allocators"], SIZE // 16, name=lambda index: known + index)


def nodes_in_a_chain(file):
    known, count = len(file["nodes"]["parent"]), SIZE // 44
    add(file["nodes"], count, parent=lambda index: known + index - 1)
    add(file["rows"], count, node=lambda index: known + index, live_bytes=lambda index: 1)


def rows(file):
    add(file["rows"], SIZE // 26)


def frames(file):
    add(file["frames"], SIZE // 9, line=lambda index: index + 1)


def something_else(file):
    file["unknown"] = [[]] * (SIZE // 3)


@pytest.mark.parametrize("swell", [strings, threads, allocators, nodes_in_a_chain, rows, frames, something_else])
def test_no_file_takes_more_than_twenty_times_its_size(tmp_path, swell):
    trace = malloc_tracer.trace(lambda: bytearray(100), quiet=True)
    paths = [tmp_path / "usual.json", tmp_path / "large.json"]
    trace.save(paths[0])
    file = json.loads(paths[0].read_text())
    swell(file)
    paths[1].write_text(json.dumps(file, separators=(",", ":")))
    done = subprocess.run([sys.executable, "-c", LOAD, *map(str, paths)], capture_output=True, text=True, check=True)
    size = os.path.getsize(paths[1])
    assert size > SIZE / 2
    assert int(done.stdout) < 20 * size
