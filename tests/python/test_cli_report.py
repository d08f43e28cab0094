"""The command line over saved traces: report, diff, merge, view."""

import json
import os
import re
import subprocess
import sys

import pytest

import malloc_tracer


def grow(count):
    kept = [bytes(1000) for _ in range(count)]
    return kept


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces")
    grow(1)  # before 3.11 a function's frame is a block that its first call makes
    for name, count in (("old", 10), ("new", 20)):
        malloc_tracer.trace(grow, args=(count,), quiet=True).save(folder / f"{name}.json")
    return folder


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "malloc_tracer", *arguments], capture_output=True, text=True, cwd=folder, timeout=60
    )


def test_report_shows_the_listing_with_four_columns(files):
    done = run(files, "report", "old.json")
    trace = malloc_tracer.load(files / "old.json")
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout == trace._listing.text(trace._data, None, ("live", "peak", "allocated", "count"))
    assert "Line #        Live        Peak   Allocated     Count    Line Contents" in done.stdout


def test_report_converts(files, tmp_path):
    done = run(files, "report", "old.json", "--format", "json")
    assert json.loads(done.stdout) == json.loads((files / "old.json").read_text())
    assert run(files, "report", "old.json", "-o", str(tmp_path / "x.html")).returncode == 0
    assert (tmp_path / "x.html").read_text() == malloc_tracer.load(files / "old.json").report("html")
    assert run(files, "report", "old.json", "--format", "json", "-o", str(tmp_path / "odd")).returncode == 0
    assert malloc_tracer.load(tmp_path / "odd") == malloc_tracer.load(files / "old.json")


def test_report_without_source(files):
    done = run(files, "report", "old.json", "--no-source")
    assert "kept = [" not in done.stdout
    assert "(no source: it was left out of the trace)" in done.stdout


def test_color_can_be_forced_and_is_off_in_a_pipe(files):
    assert "\x1b[" not in run(files, "report", "old.json").stdout
    assert "\x1b[" in run(files, "report", "old.json", "--color", "always").stdout
    assert "\x1b[" not in run(files, "report", "old.json", "--color", "never").stdout


def test_diff_says_what_grew_and_fails_if_asked_to(files):
    line = grow.__code__.co_firstlineno + 1
    change = run(files, "diff", "old.json", "new.json")
    assert change.returncode == 0
    assert re.search(rf"^ +{line}  +\+10\.\d KiB  +\+10\.\d KiB .* kept = ", change.stdout, re.MULTILINE)
    failed = run(files, "diff", "old.json", "new.json", "--fail-if-grows", "5%")
    assert failed.returncode == 1
    assert failed.stdout == change.stdout
    first, second = failed.stderr.splitlines()[:2]
    assert first.startswith("malloc-tracer: live bytes grew from 10.")
    assert first.endswith(" %), more than 5 %:")
    assert second.endswith(f"  {__file__}:{line} in grow")


def test_diff_does_not_fail_below_the_limit(files):
    assert run(files, "diff", "old.json", "new.json", "--fail-if-grows", "200%").returncode == 0
    assert run(files, "diff", "new.json", "old.json", "--fail-if-grows", "0%").returncode == 0
    assert run(files, "diff", "old.json", "old.json", "--fail-if-grows=0").returncode == 0


def test_merge_adds_up(files, tmp_path):
    assert run(files, "merge", "old.json", "new.json", "-o", str(tmp_path / "sum.json")).returncode == 0
    parts = [malloc_tracer.load(files / name) for name in ("old.json", "new.json")]
    assert malloc_tracer.load(tmp_path / "sum.json") == malloc_tracer.merge(parts)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "missing.json"], "malloc-tracer: missing.json: cannot be read: No such file or directory\n"),
        (["report", "old.json", "-o", "x.pdf"], "malloc-tracer: x.pdf: no format has this suffix; use one of "),
        (["report", "old.json", "--format", "pdf"], "invalid choice: 'pdf'"),
        (["diff", "old.json", "new.json", "--fail-if-grows", "x"], "'x' is no percentage; pass one such as 5%"),
        (["diff", "old.json", "new.json", "--fail-if-grows=-1"], "'-1' is no percentage; pass one such as 5%"),
        (["merge", "old.json"], "the following arguments are required: -o"),
        (
            ["report", "old.json", "-o", "missing/x.json"],
            "missing/x.json: cannot be written: No such file or directory; the trace is in",
        ),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_usage_errors_are_one_sentence_and_exit_2(files, arguments, message):
    done = run(files, *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_reader_that_has_seen_enough_is_no_error(files):
    command = f"{sys.executable} -m malloc_tracer report new.json --format json | head -c 10"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=files, timeout=60)
    assert done.stdout == '{"format":'
    assert done.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [["report", "new.json"], ["report", "new.json", "--format", "pprof"], ["diff", "old.json", "new.json"]],
)
def test_an_output_that_is_full_or_closed(files, arguments):
    command = f"{sys.executable} -m malloc_tracer {' '.join(arguments)}"
    full = subprocess.run(command + " > /dev/full", shell=True, capture_output=True, text=True, cwd=files, timeout=60)
    assert full.stderr == "malloc-tracer: standard output cannot be written: No space left on device\n"
    assert full.returncode == 2
    closed = subprocess.run(command + " >&-", shell=True, capture_output=True, text=True, cwd=files, timeout=60)
    assert (closed.returncode, closed.stderr) == (0, "")


def test_view_opens_the_page(files):
    code = "import webbrowser; webbrowser.open = print; from malloc_tracer.cli import main; main(['view', 'old.json'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=files, timeout=60)
    path = re.fullmatch(r"file://(.*\.html)\n", done.stdout)[1]
    with open(path, encoding="utf-8") as file:
        assert file.read() == malloc_tracer.load(files / "old.json").report("html")
    os.unlink(path)
