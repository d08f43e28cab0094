"""Traces in files: `save`, `load`, every format; what a broken file leads to."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import threading

import pytest

import malloc_tracer
from malloc_tracer import MallocTracerError, RelatedTracesOutputMode


def make(count=100):
    rows = [bytes(1000 + i) for i in range(count)]
    table = {i: rows[i] for i in range(count)}
    return inner(rows), table


def inner(rows):
    copies = [bytearray(row) for row in rows]
    del copies[::2]
    return copies


@pytest.fixture(scope="module")
def made():
    return malloc_tracer.trace(
        make, quiet=True, related_traces_output_mode=RelatedTracesOutputMode.FOR_EACH_FILE, exclude_patterns=["*/lib/*"]
    )


def saved(trace, tmp_path, name="x.json", **options):
    path = tmp_path / name
    trace.save(path, **options)
    return path


def test_a_loaded_trace_equals_the_saved_one(made, tmp_path):
    loaded = malloc_tracer.load(saved(made, tmp_path))
    assert loaded.to_dict() == made.to_dict()
    assert str(loaded) == str(made)
    assert repr(loaded) == repr(made)
    assert loaded.result is None
    assert loaded.timeline == made.timeline
    assert loaded.report("json") == made.report("json")


def test_the_file_is_what_the_report_returns(made, tmp_path):
    assert saved(made, tmp_path).read_text() == made.report("json")
    assert saved(made, tmp_path, "x.txt").read_text() == str(made) == made.report()


def test_a_loaded_trace_has_the_source_of_then(tmp_path):
    path = tmp_path / "changing.py"
    path.write_text("def f():\n    return bytearray(100)\n")
    space = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    file = saved(malloc_tracer.trace(space["f"], quiet=True), tmp_path)
    path.write_text("something else\n" * 3)
    assert "return bytearray(100)" in str(malloc_tracer.load(file))


def test_without_source_no_line_of_it_is_in_the_file(made, tmp_path):
    assert "copies = [bytearray" in saved(made, tmp_path).read_text()
    path = saved(made, tmp_path, source=False)
    assert "copies = [bytearray" not in path.read_text()
    assert malloc_tracer.load(path).to_dict() == made.to_dict()


def test_totals_are_easy_to_find(made):
    document = json.loads(made.report("json"))
    assert document["totals"]["live_bytes"] == made.live_bytes
    assert sum(document["nodes"]["allocated_count"]) == made.allocated_count
    assert document["version"] == 1


def test_names_that_are_no_utf8_survive(tmp_path):
    name = 'caf\udce9\u202e<script>&"\\\n.py'
    space = {}
    exec(compile("def f():\n return bytearray(100)\n", name, "exec"), space)
    trace = malloc_tracer.trace(space["f"], quiet=True)
    loaded = malloc_tracer.load(saved(trace, tmp_path))
    assert name in [file.name for file in loaded.files]
    assert "<script>" not in trace.report("json")
    for format in ("collapsed", "speedscope", "dhat", "text"):
        trace.report(format).encode()  # valid text


def test_several_threads_are_kept(tmp_path):
    with malloc_tracer.Scope("threads") as scope:
        workers = [threading.Thread(target=make, name=f"w{i}") for i in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    loaded = malloc_tracer.load(saved(scope.trace, tmp_path))
    assert [(t.name, t.self) for t in loaded.threads] == [(t.name, t.self) for t in scope.trace.threads]


def test_the_suffix_decides_and_unknown_ones_are_named(made, tmp_path):
    with pytest.raises(
        ValueError,
        match=r"path must end in one of \.collapsed, \.dhat\.json, \.json, \.pb\.gz, \.speedscope\.json, \.txt, not",
    ):
        made.save(tmp_path / "x.pdf")
    with pytest.raises(ValueError, match="format: no report 'pdf' .str.; there are 'text', 'json'"):
        made.report("pdf")


def test_a_file_that_cannot_be_written_is_kept_elsewhere(made, tmp_path):
    with pytest.raises(MallocTracerError, match="nothing is lost, it is in (.*)") as caught:
        made.save(tmp_path / "missing" / "x.json")
    kept = str(caught.value).rpartition("it is in ")[2]
    assert malloc_tracer.load(kept).to_dict() == made.to_dict()
    os.unlink(kept)


def broken(document, *path_and_value):
    *path, last, value = path_and_value
    table = document
    for key in path:
        table = table[key]
    table[last] = value
    return json.dumps(document).encode()


BROKEN = {
    "nodes.parent": ("nodes", "parent", [-1, 5]),
    "nodes, row 1: must have a frame and an earlier row": ("nodes", "parent", 1, 1),
    r"nodes.live_bytes\[0\]: must be a whole number": ("nodes", "live_bytes", 0, "7"),
    "nodes.live_bytes: adds up to more": ("nodes", "live_bytes", 1, 2**62 + 0),
    r"nodes.peak_bytes\[1\]: must be a whole number": ("nodes", "peak_bytes", 1, 2**70),
    r"nodes.frame\[1\]": ("nodes", "frame", 1, 10_000),
    r"functions.file\[0\]": ("functions", "file", 0, -1),
    r"frames.line\[0\]": ("frames", "line", 0, 2**31),
    "files.kind: must be yours": ("files", "kind", 0, "theirs"),
    r"files.name\[0\]: must be text": ("files", "name", 0, 3),
    "threads: must be an object": ("threads", []),
    "lost.x: must be a whole number": ("lost", {"x": -1}),
    "timeline.live_bytes: must be as long": ("timeline", "live_bytes", [1]),
    "listing.related": ("listing", "related", "all"),
    "listing.sections.first_line": ("listing", "sections", 0, "first_line", True),
    "sources.x: must be an array": ("sources", {"x": "text"}),
    "name: must be text": ("name", None),
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_wrong_value_is_named_with_its_place(made, tmp_path, message):
    path = tmp_path / "broken.json"
    path.write_bytes(broken(json.loads(made.report("json")), *BROKEN[message]))
    with pytest.raises(MallocTracerError, match=f"broken.json is not a whole trace: {message}.*save it again"):
        malloc_tracer.load(path)


NO_TRACES = {
    b"": "is not a trace: Expecting value",
    b"{}": "lacks \"format\": 'malloc_tracer trace'",
    b"[]": "lacks",
    b"\xff\xfe{": "is not a trace",
    b"[" * 100_000: "mostly brackets",
    b'{"a":' * 50_000: "mostly brackets|is not a trace",
    b'{"format":"malloc_tracer trace","version":1.5}': "1.5 is not a whole number",
    b'{"format":"malloc_tracer trace","version":' + b"9" * 5000 + b"}": "is not a trace|version",
    b'{"format":"malloc_tracer trace","version":2}': "has version 2 .* reads up to 1: install a newer",
    b'{"format":"malloc_tracer trace","version":true}': "version: must be a whole number",
    b'{"format":"malloc_tracer trace","version":1': r"is cut off or broken: .* line 1, column \d+",
}


@pytest.mark.parametrize("content", NO_TRACES)
def test_a_file_that_is_no_trace_is_refused(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(MallocTracerError, match=NO_TRACES[content]):
        malloc_tracer.load(path)


def test_a_file_cut_off_anywhere_is_refused(made, tmp_path):
    whole = made.report("json").encode()
    path = tmp_path / "x.json"
    for length in range(0, len(whole) - 1, len(whole) // 200 + 1):
        path.write_bytes(whole[:length])
        with pytest.raises(MallocTracerError):
            malloc_tracer.load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MallocTracerError, match="cannot read .*missing.json: No such file"):
        malloc_tracer.load(tmp_path / "missing.json")


# --- Other tools' formats ---


def profile_numbers(path, sample_type):
    """What `go tool pprof` reads: {function: flat}."""
    done = subprocess.run(
        ["go", "tool", "pprof", "-top", "-unit=B", "-nodecount=1000", f"-sample_index={sample_type}", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = done.stdout.partition("flat%")[2].splitlines()[1:]
    return {row.split()[-1]: int(float(row.split()[0].rstrip("B"))) for row in rows}


@pytest.mark.skipif(shutil.which("go") is None, reason="needs Go")
def test_gos_pprof_reads_the_same_numbers(made, tmp_path):
    path = saved(made, tmp_path, "x.pb.gz")
    names = {
        "alloc_space": "allocated_bytes",
        "alloc_objects": "allocated_count",
        "inuse_space": "live_bytes",
        "inuse_objects": "live_count",
        "peak_space": "peak_bytes",
    }
    for sample_type, name in names.items():
        seen = profile_numbers(path, sample_type)
        for function in made.functions:
            number = getattr(function.self, name)
            if number or function.name in seen:
                assert seen[function.name] == number, (sample_type, function.name)


def test_pprof_is_gzipped_and_always_the_same(made):
    assert gzip.decompress(made.report("pprof"))
    assert made.report("pprof") == made.report("pprof")


def test_collapsed_adds_up_to_the_peak(made):
    rows = [line.rpartition(" ") for line in made.report("collapsed").splitlines()]
    assert sum(int(value) for _, _, value in rows) == made.peak_bytes
    line = make.__code__.co_firstlineno + 3
    assert any(stack.startswith(f"make ({__file__}:{line});inner ({__file__}:") for stack, _, _ in rows)


def test_speedscope_events_are_balanced_and_end_at_the_total(made):
    document = json.loads(made.report("speedscope"))
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    profiles = {profile["name"]: profile for profile in document["profiles"]}
    assert profiles["live bytes"]["endValue"] == made.live_bytes
    assert profiles["allocated blocks"]["endValue"] == made.allocated_count
    for profile in profiles.values():
        stack, at = [], 0
        for event in profile["events"]:
            assert at <= event["at"] <= profile["endValue"]
            at = event["at"]
            if event["type"] == "O":
                stack.append(event["frame"])
            else:
                assert stack.pop() == event["frame"]
        assert not stack
        assert at == profile["endValue"]


def test_dhat_adds_up(made):
    document = json.loads(made.report("dhat"))
    assert document["dhatFileVersion"] == 2
    assert sum(point["tb"] for point in document["pps"]) == made.allocated_bytes
    assert sum(point["gb"] for point in document["pps"]) == made.peak_bytes
    assert sum(point["eb"] for point in document["pps"]) == made.live_bytes
    assert all(0 < frame < len(document["ftbl"]) for point in document["pps"] for frame in point["fs"])


@pytest.mark.parametrize("format", ["json", "pprof", "speedscope", "collapsed", "dhat", "text"])
def test_an_empty_trace_has_every_format(format):
    with malloc_tracer.Scope("empty") as scope:
        pass
    assert scope.trace.allocated_count == 0
    scope.trace.report(format)
