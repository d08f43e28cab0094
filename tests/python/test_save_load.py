"""Traces as files: `save`, `load`, `report`; what a broken file or an output that cannot be written leads to."""

import base64
import gzip
import itertools
import json
import os
import re
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
    return malloc_tracer.trace(make, quiet=True, related_traces_output_mode=RelatedTracesOutputMode.FOR_EACH_FILE)


def saved(trace, tmp_path, name="x.json", **options):
    path = tmp_path / name
    trace.save(path, **options)
    return path


def traced_file(tmp_path, source, name="mod.py"):
    path = tmp_path / name
    path.write_text(source)
    space = {}
    exec(compile(source, str(path), "exec"), space)
    return path, malloc_tracer.trace(space["f"], quiet=True)


def test_a_loaded_trace_equals_the_saved_one(made, tmp_path):
    loaded = malloc_tracer.load(saved(made, tmp_path))
    assert loaded == made
    assert hash(loaded) == hash(made)
    assert loaded.to_dict() == made.to_dict()
    assert str(loaded) == str(made)
    assert repr(loaded) == repr(made)
    assert loaded.result is None
    assert loaded.report("json") == made.report("json")


def test_patterns_are_kept_with_the_trace(tmp_path):
    space = {}
    for name in ("wanted", "unwanted", "other"):
        path = tmp_path / f"{name}.py"
        path.write_text(f"def {name}():\n    return bytearray(1000)\n")
        exec(compile(path.read_text(), str(path), "exec"), space)

    def target():
        return [space[name]() for name in ("wanted", "unwanted", "other")]

    def shown(trace):
        return set(re.findall(r'File ".*/(\w+)\.py"', str(trace))) - {"test_save_load"}

    mode = RelatedTracesOutputMode.FOR_EACH_FILE
    everything = malloc_tracer.trace(target, quiet=True, related_traces_output_mode=mode)
    patterns = {"include_patterns": ["*/*wanted.py"], "exclude_patterns": ["*/un*"]}
    trace = malloc_tracer.trace(target, quiet=True, related_traces_output_mode=mode, **patterns)
    loaded = malloc_tracer.load(saved(trace, tmp_path))
    assert loaded == trace
    assert loaded.report("json") == trace.report("json")
    assert str(loaded) == str(trace)
    assert shown(malloc_tracer.load(saved(everything, tmp_path))) == {"wanted", "unwanted", "other"}
    assert shown(loaded) == shown(malloc_tracer.merge([loaded, trace])) == {"wanted"}
    assert shown(malloc_tracer.merge([loaded, everything])) == {"wanted", "unwanted", "other"}


def test_traces_that_differ_are_not_equal(made):
    other = malloc_tracer.trace(make, args=(101,), quiet=True)
    assert other != made
    assert made != 3


def test_every_number_is_in_the_file(made):
    document = json.loads(made.report("json"))
    assert document["format"] == "malloc_tracer trace"
    assert document["version"] == 1
    assert document["sum"]["live_bytes"] == made.live_bytes
    for name, total in document["sum"].items():
        assert sum(document["rows"][name]) == total == getattr(made, name)
    assert document["strings"][document["files"]["name"][0]] == __file__


def test_the_file_is_what_the_report_returns(made, tmp_path):
    assert saved(made, tmp_path).read_text() == made.report("json")
    assert saved(made, tmp_path, "x.txt").read_text() == str(made) == made.report()


def test_rows_tell_threads_and_allocators_apart(tmp_path):
    with malloc_tracer.Scope("threads") as scope:
        workers = [threading.Thread(target=make, name=f"w{i}") for i in range(2)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    loaded = malloc_tracer.load(saved(scope.trace, tmp_path))
    assert [(t.name, t.self) for t in loaded.threads] == [(t.name, t.self) for t in scope.trace.threads]
    rows = json.loads(scope.trace.report("json"))["rows"]
    for index, thread in enumerate(scope.trace.threads):
        own = [n for n, t in zip(rows["allocated_bytes"], rows["thread"]) if t == index]
        assert sum(own) == thread.self.allocated_bytes


def test_a_loaded_trace_has_the_source_of_then(tmp_path):
    path, trace = traced_file(tmp_path, "def f():\n    return bytearray(100)\n")
    file = saved(trace, tmp_path)
    path.write_text("something else\n" * 3)
    assert "return bytearray(100)" in str(malloc_tracer.load(file))


def test_source_that_changed_since_is_left_out(tmp_path):
    path, trace = traced_file(tmp_path, "def f():\n    return bytearray(100)\n")
    path.write_text("# something else\n" * 3)
    late = path.stat().st_mtime + 10
    os.utime(path, (late, late))
    document = json.loads(trace.report("json"))
    assert "something else" not in trace.report("json")
    assert document["strings"].count(str(path)) == 1
    assert document["sources"]["text"] == []


def test_of_libraries_only_what_is_around_the_lines_is_saved(tmp_path):
    trace = malloc_tracer.trace(lambda: json.dumps({"a": list(range(100))}, indent=1), quiet=True)
    document = json.loads(trace.report("json"))
    kinds = dict(zip((document["strings"][i] for i in document["files"]["name"]), document["files"]["kind"]))
    sizes = {}
    for file, text in zip(document["sources"]["file"], document["sources"]["text"]):
        name = document["strings"][file]
        sizes[name] = sizes.get(name, 0) + text.count("\n") + 1
    library = {name: size for name, size in sizes.items() if kinds[name] == "library"}
    assert library
    for name, size in library.items():
        with open(name, encoding="utf-8") as file:
            assert size < len(file.readlines())


def test_without_source_no_line_of_it_is_in_the_file(made, tmp_path):
    assert "copies = [bytearray" in saved(made, tmp_path).read_text()
    path = saved(made, tmp_path, source=False)
    assert "copies = [bytearray" not in path.read_text()
    assert malloc_tracer.load(path) == made
    assert "copies = [bytearray" not in saved(made, tmp_path, "x.txt", source=False).read_text()


def test_names_that_are_no_utf8_survive(tmp_path):
    name = 'caf\udce9\u202e<script>&"\\\n.py'
    space = {}
    exec(compile("def f():\n return bytearray(100)\n", name, "exec"), space)
    trace = malloc_tracer.trace(space["f"], quiet=True)
    loaded = malloc_tracer.load(saved(trace, tmp_path))
    assert name in [file.name for file in loaded.files]
    trace.report("json").encode()


def test_an_empty_trace_is_saved_and_loaded(tmp_path):
    with malloc_tracer.Scope("empty") as scope:
        pass
    assert malloc_tracer.load(saved(scope.trace, tmp_path)) == scope.trace


def test_the_suffix_decides_and_unknown_ones_are_named(made, tmp_path):
    with pytest.raises(ValueError, match=r"x.pdf: no format has this suffix; use one of .*\.json"):
        made.save(tmp_path / "x.pdf")
    with pytest.raises(ValueError, match=r"format: no report 'pdf' \(str\); there are 'text', 'json'"):
        made.report("pdf")


def test_a_file_that_cannot_be_written_is_kept_elsewhere(made, tmp_path):
    with pytest.raises(MallocTracerError) as caught:
        made.save(tmp_path / "missing" / "x.json")
    match = re.fullmatch(
        rf"{re.escape(str(tmp_path))}/missing/x.json: cannot be written: No such file or directory; "
        r"the trace is in (.*\.json) instead",
        str(caught.value),
    )
    assert malloc_tracer.load(match[1]) == made
    os.unlink(match[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", 'is empty: pass a file that trace.save("x.json") has written'),
        (b"[]", 'is no trace of malloc_tracer: pass a file that trace.save("x.json") has written'),
        (b"\x7fELF", 'is no trace of malloc_tracer: pass a file that trace.save("x.json") has written'),
        (b"{}", "at byte 2: there is no 'format'"),
        (b'{"format":"x"}', 'is no trace of malloc_tracer: pass a file that trace.save("x.json") has written'),
        (b'{"a":' + b"[" * 100_000, "at byte 69: values are nested more than 64 deep"),
        (b'{"version":' + b"9" * 5000, "at byte 11: a number is too large"),
        (b'{"version":1.5}', "at byte 11: expected a whole number"),
        (
            b'{"version":2}',
            "is of version 2 of the format, and this is malloc_tracer 2.0.0, which reads up to 1: "
            "install a newer malloc_tracer",
        ),
    ],
)
def test_a_file_that_is_no_trace_is_refused(tmp_path, content, message):
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(MallocTracerError) as caught:
        malloc_tracer.load(path)
    assert str(caught.value) == f"{path}: {message}"


def test_a_file_cut_off_anywhere_is_refused(made, tmp_path):
    whole = made.report("json").encode()
    path = tmp_path / "x.json"
    for length in range(1, len(whole) - 1, len(whole) // 200 + 1):
        path.write_bytes(whole[:length])
        with pytest.raises(MallocTracerError, match="x.json: at byte .* it was cut off"):
            malloc_tracer.load(path)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(MallocTracerError, match="missing.json: cannot be read: No such file or directory"):
        malloc_tracer.load(tmp_path / "missing.json")
    with pytest.raises(MallocTracerError, match="cannot be read: Is a directory"):
        malloc_tracer.load(tmp_path)
    with pytest.raises(MallocTracerError, match="/dev/zero: is no trace"):
        malloc_tracer.load("/dev/zero")


def test_the_page_holds_the_trace(made, tmp_path):
    html = saved(made, tmp_path, "x.html").read_text()
    begin = '<script type="application/json" id="trace" data-encoding="gzip-base64">'
    data = re.search(f"{begin}(.*?)</script>", html)
    page = json.loads(gzip.decompress(base64.b64decode(data[1], validate=True)))
    assert page.pop("format") == "malloc_tracer page"
    for table, column in (("nodes", "parent"), ("rows", "node")):
        page[table][column] = list(itertools.accumulate(page[table][column]))
    assert page | {"format": "malloc_tracer trace"} == json.loads(made.report("json"))
    assert made._repr_html_() in html


def test_a_notebook_shows_a_table_without_scripts(made):
    html = made._repr_html_()
    assert f"<b>make</b>: live {(made.live_bytes + 51) // 1024:,}"[:20] in html
    assert html.count("<tr>") == 5  # the header and the four lines of `make`
    assert "<script" not in html
    assert len(html) < 60_000


def test_show_opens_the_page(made, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or True)
    made.show()
    path = opened[0].removeprefix("file://")
    with open(path, encoding="utf-8") as file:
        assert file.read() == made.report("html")
    os.unlink(path)


def test_show_without_a_browser_names_the_page(made, monkeypatch):
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    with pytest.raises(MallocTracerError, match=r"no browser could be started; open .*\.html") as caught:
        made.show()
    os.unlink(str(caught.value).rpartition("open ")[2])


def test_show_that_cannot_write_says_so(made, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(MallocTracerError, match="the page cannot be written to a temporary file: .*missing"):
        made.show()


def test_nothing_of_saving_is_recorded_by_an_outer_scope(made, tmp_path):
    path = tmp_path / "x.json"
    with malloc_tracer.Scope("outer") as scope:
        made.save(path)
    assert scope.trace.allocated_count == 0
