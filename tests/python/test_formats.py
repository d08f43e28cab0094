"""The formats of other viewers, read by the viewers' own code.

A test skips where its viewer is missing; scripts/test installs them.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
import threading
from collections import Counter
from pathlib import Path

import pytest

import malloc_tracer
from engine import COUNTERS

ROOT = Path(__file__).parents[2]
VIEWERS = Path(os.environ.get("MALLOC_TRACER_VIEWERS", ROOT / "build/test/viewers"))
PPROF = {
    "alloc_space": "allocated_bytes",
    "alloc_objects": "allocated_count",
    "inuse_space": "live_bytes",
    "inuse_objects": "live_count",
    "peak_space": "peak_bytes",
}
ALL_OF_IT = ["-unit=B", "-nodecount=10000", "-nodefraction=0"]
SUFFIXES = {"pprof": ".pb.gz", "speedscope": ".speedscope.json", "collapsed": ".collapsed", "dhat": ".dhat.json"}


def make():
    rows = [bytes(1000 + i) for i in range(50)]
    worker = threading.Thread(target=deep, args=(3, rows), name="worker")
    worker.start()
    worker.join()
    copies = inner(rows)
    del rows[::2]
    return rows, copies


def inner(rows):
    copies = [bytearray(row) for row in rows]
    del copies[::2]
    return copies


def deep(depth, rows):
    if depth:
        rows.append(bytes(100 * depth))
        deep(depth - 1, rows)


def hostile():
    """A function whose name and file try to break out of what they are written into."""
    space = {}
    exec(compile("def f():\n return bytearray(12345)\n", 'caf\udce9;\u202e<script>&"\\\r\n 7.py', "exec"), space)
    name = "</script>\"'\\;\t\n\x01\x7f\u2028 99"
    code = space["f"].__code__
    space["f"].__code__ = code.replace(**{"co_qualname" if hasattr(code, "co_qualname") else "co_name": name})
    return malloc_tracer.trace(space["f"], quiet=True)


@pytest.fixture(scope="module")
def traces():
    trace = malloc_tracer.trace(make, quiet=True)
    again = malloc_tracer.trace(make, quiet=True)
    with malloc_tracer.Scope("nothing") as scope:
        pass
    assert trace.allocated_bytes > 100_000
    assert scope.trace.allocated_count == 0
    return {"plain": trace, "hostile": hostile(), "difference": again.diff(trace), "nothing": scope.trace}


KINDS = ["plain", "hostile", "difference", "nothing"]


@pytest.fixture(params=KINDS)
def trace(request, traces):
    return traces[request.param]


def saved(trace, tmp_path, format):
    path = tmp_path / f"x{SUFFIXES[format]}"
    trace.save(path)
    return path


def ran(*command):
    done = subprocess.run([os.fspath(part) for part in command], capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def tool(name, what):
    found = shutil.which(name, path=f"{os.environ['PATH']}{os.pathsep}{VIEWERS / 'bin'}")
    if found is None:
        pytest.skip(f"needs {name}: {what}")
    return found


def viewer_file(pattern, *folders):
    for folder in folders:
        for path in sorted(Path(folder).glob(pattern)):
            return path
    pytest.skip(f"needs {pattern}, looked for in {', '.join(map(str, folders))}")


def nodes(trace):
    left = [trace.root]
    while left:
        node = left.pop()
        yield node
        left += node.children


def stack(node):
    """The frames of a node as (function, file, line), innermost first."""
    frames = []
    while node.parent is not None:
        frames.append((shown(node.frame.function), shown(node.frame.file), node.frame.line))
        node = node.parent
    return tuple(frames) or (("<native>", "<native>", 0),)


def shown(name):
    """A name as all formats have it: valid text on one line."""
    name = name.expandtabs(8)
    raw = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(
        f"\\x{ord(c):02x}"
        if c < " " or "\x7f" <= c < "\xa0"
        else f"\\u{ord(c):04x}"
        if c in "\u202e\u2028\ufffd"
        else c
        for c in raw
    )


@pytest.mark.parametrize("format", SUFFIXES)
def test_a_file_is_what_the_report_returns_and_always_the_same(trace, tmp_path, format):
    content = saved(trace, tmp_path, format).read_bytes()
    report = trace.report(format)
    assert content == (report if format == "pprof" else report.encode())
    assert trace.report(format) == report


# --- pprof ---


def pprof(*arguments):
    return ran(tool("go", "Go's own pprof reads the file"), "tool", "pprof", *arguments)


def pprof_samples(path):
    """What `go tool pprof -raw` shows: a Counter for each sample type, by stack, and the labels."""
    text = pprof("-raw", path)
    samples, _, locations = text.partition("\nLocations\n")
    places = {}
    for number, place in re.findall(r"(?m)^ *(\d+): 0x0 (?:M=\d+ )?(.*) s=0(?:\(\))?$", locations):
        function_and_file, line = re.fullmatch(r"(.*?):(\d+)(?::0)?", place).groups()
        places[number] = (function_and_file, int(line))
    found = {sample_type: Counter() for sample_type in PPROF}
    heading, *rows = samples.partition("Samples:\n")[2].splitlines()
    assert [title.partition("/")[0] for title in heading.split()] == list(PPROF)
    for values, stack in re.findall(r"(?m)^ *((?:-?\d+ +)*-?\d+): ([\d ]+)$", "\n".join(rows)):
        for sample_type, value in zip(PPROF, values.split()):
            found[sample_type][tuple(places[number] for number in stack.split())] += int(value)
    return found, Counter(re.findall(r"(?m)^ {16}(allocator:\[.*\]) thread:", samples))


def test_gos_pprof_reads_every_sample(trace, tmp_path):
    found, _ = pprof_samples(saved(trace, tmp_path, "pprof"))
    for sample_type, name in PPROF.items():
        expected = Counter()
        for node in nodes(trace):
            place = tuple((f"{function} {file}", max(line, 0)) for function, file, line in stack(node))
            expected[place] += getattr(node.self, name)
        without_zeros = {place: value for place, value in found[sample_type].items() if value}
        assert without_zeros == {place: value for place, value in expected.items() if value}, sample_type


@pytest.mark.parametrize("sample_type", PPROF)
def test_gos_pprof_lists_functions_with_their_numbers(traces, tmp_path, sample_type):
    path = saved(traces["plain"], tmp_path, "pprof")
    text = pprof(*ALL_OF_IT, "-top", f"-sample_index={sample_type}", path)
    rows = re.findall(r"(?m)^ +(-?\d+)B? +\S+% +\S+% +(-?\d+)B? +\S+% +(.+)$", text)
    expected = Counter()
    for function in traces["plain"].functions:
        expected[function.name] += getattr(function.self, PPROF[sample_type])
    found = {name: int(flat) for flat, _, name in rows}
    assert {name: flat for name, flat in found.items() if flat} == {n: flat for n, flat in expected.items() if flat}
    totals = {name: int(total) for _, total, name in rows}
    for name in ("make", "inner", "deep"):
        function = next(f for f in traces["plain"].functions if f.name == name and f.file == __file__)
        assert totals.get(name, 0) == getattr(function.total, PPROF[sample_type]), name


def test_gos_pprof_shows_the_source_with_its_numbers(traces, tmp_path):
    path = saved(traces["plain"], tmp_path, "pprof")
    text = pprof("-list=^inner$", "-unit=B", "-sample_index=alloc_space", path)
    found = {int(n): flat for flat, n in re.findall(r"(?m)^ +(\d+B|\.) +(?:\d+B|\.) +(\d+):", text)}
    first = inner.__code__.co_firstlineno
    assert f"{first + 1}:    copies = [bytearray(row) for row in rows]" in text
    for number in range(first, first + 4):
        bytes_there = sum(
            node.self.allocated_bytes
            for node in nodes(traces["plain"])
            if node.frame.file == __file__ and node.frame.line == number and node.frame.function == "inner"
        )
        assert found[number] == (f"{bytes_there}B" if bytes_there else "."), number


def test_pprof_samples_have_thread_and_allocator(traces, tmp_path):
    path = saved(traces["plain"], tmp_path, "pprof")
    for thread in traces["plain"].threads:
        text = pprof(*ALL_OF_IT, "-top", "-sample_index=alloc_space", f"-tagfocus=thread=^{thread.name}$", path)
        assert f"Showing nodes accounting for {thread.self.allocated_bytes}B," in text
    _, labels = pprof_samples(path)
    assert set(labels) == {f"allocator:[{allocator.name}]" for allocator in traces["plain"].allocators}


def test_pprof_is_gzipped(trace):
    assert gzip.decompress(trace.report("pprof"))


# --- speedscope ---


def test_the_importer_of_speedscope_reads_every_number(trace, tmp_path):
    node = tool("node", "speedscope's importer is JavaScript")
    bundle = viewer_file("speedscope-*.js", VIEWERS / "node_modules/speedscope/dist/release")
    path = saved(trace, tmp_path, "speedscope")
    profiles = json.loads(ran(node, Path(__file__).with_name("read_speedscope.mjs"), bundle, path))
    assert [profile["name"] for profile in profiles] == list(COUNTERS)
    for profile in profiles:
        expected = Counter()
        for node in nodes(trace):
            function, _, line = stack(node)[0]
            expected[f"{function}:{max(line, 0)}"] += max(getattr(node.self, profile["name"]), 0)
        assert profile["total"] == sum(expected.values()), profile["name"]
        assert {frame: value for frame, value in profile["self"].items() if value} == {
            frame: value for frame, value in expected.items() if value
        }
        assert profile["unit"] == ("bytes" if profile["name"].endswith("bytes") else "none")


# --- Collapsed stacks ---


def collapsed_stacks(trace):
    """{stack, outermost first: bytes at the peak}, from the trace."""
    expected = Counter()
    for node in nodes(trace):
        if node.self.peak_bytes > 0:
            names = [f"{f} ({file}:{line})" if line else "<native>" for f, file, line in reversed(stack(node))]
            expected[tuple(name.replace(";", ":") for name in names)] += node.self.peak_bytes
    return expected


def test_collapsed_has_a_line_for_each_stack(trace):
    rows = [line.rpartition(" ") for line in trace.report("collapsed").splitlines()]
    assert {tuple(stack.split(";")): int(value) for stack, _, value in rows} == collapsed_stacks(trace)


@pytest.mark.parametrize("kind", ["plain", "hostile"])
def test_inferno_draws_collapsed_stacks(traces, tmp_path, kind):
    inferno = tool("inferno-flamegraph", "cargo install --locked inferno")
    path = saved(traces[kind], tmp_path, "collapsed")
    picture = ran(inferno, "--countname=bytes", "--minwidth=0", "--hash", path)
    expected = Counter()
    for stack, value in collapsed_stacks(traces[kind]).items():
        for depth in range(1, len(stack) + 1):
            expected[stack[:depth]] += value
    boxes = re.findall(r"<title>([^<]*) \(([\d,]+) bytes, [\d.]+%\)</title>", picture)
    unescaped = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'"}
    found = Counter((re.sub("&[a-z]+;", lambda m: unescaped[m[0]], name), value) for name, value in boxes)
    assert found == Counter((stack[-1], f"{value:,}") for stack, value in expected.items()) + Counter(
        [("all", f"{sum(collapsed_stacks(traces[kind]).values()):,}")]
    )


# --- DHAT ---


def test_dhat_has_a_point_for_each_node(trace):
    document = json.loads(trace.report("dhat"))
    names = document["ftbl"]
    found = {
        tuple(names[frame] for frame in point["fs"]): [point[key] for key in ("tb", "tbk", "gb", "gbk", "eb", "ebk")]
        for point in document["pps"]
    }
    keys = ("allocated_bytes", "allocated_count", "peak_bytes", "peak_count", "live_bytes", "live_count")
    expected = {
        tuple(f"{f} ({file}:{line})" if line else "<native>" for f, file, line in stack(node)): [
            getattr(node.self, key) for key in keys
        ]
        for node in nodes(trace)
        if any(getattr(node.self, key) for key in COUNTERS)
    }
    assert found == expected


def test_valgrinds_viewer_shows_dhat(trace, tmp_path):
    node = tool("node", "Valgrind's viewer is JavaScript")
    viewer = viewer_file("dh_view.js", "/usr/libexec/valgrind", "/usr/lib/valgrind", "/usr/local/libexec/valgrind")
    path = saved(trace, tmp_path, "dhat")
    page = json.loads(ran(node, Path(__file__).with_name("read_dhat.mjs"), viewer, path))
    assert page["root"] == {
        "total": trace.allocated_bytes,
        "blocks": trace.allocated_count,
        "peak": sum(node.self.peak_bytes for node in nodes(trace)),
        "end": trace.live_bytes,
    }
    if trace.allocated_bytes < 0:
        return  # the viewer shows what is above a threshold, here nothing
    assert f"{trace.allocated_bytes:,} bytes (" in page["text"]
    for node in nodes(trace):
        if node.self.allocated_count > trace.allocated_count / 50:  # it sorts by blocks, and folds places with fewer
            function, file, line = stack(node)[0]
            assert f"{function} ({file}:{line})" in page["text"]
