"""Printing: columns, related lines and their patterns, colour, where it goes."""

import contextlib
import fcntl
import io
import json
import os
import re
import struct
import termios
import threading

import pytest

import malloc_tracer
from malloc_tracer import RelatedTracesOutputMode
from malloc_tracer._sizes import size as shown
from sizes import array


def target():
    small = [bytearray(100) for _ in range(2)]
    big = bytearray(100_000)
    size = len(big)
    for _ in range(3):
        b"x" * size
    parsed = json.loads("[1.5, 2.5]")
    return small, big, parsed


@pytest.fixture
def trace():
    return malloc_tracer.trace(target, quiet=True)


def printed(trace, **kwargs):
    out = io.StringIO()
    trace.print(out, **kwargs)
    return out.getvalue()


def test_trace_prints_to_stdout_unless_quiet(capsys):
    trace = malloc_tracer.trace(target)
    assert capsys.readouterr().out == str(trace) == trace.report() == trace.report("text")
    malloc_tracer.trace(target, quiet=True)
    assert capsys.readouterr().out == ""
    trace.print()
    assert capsys.readouterr().out == str(trace)


def test_stdout_is_looked_up_when_printing(monkeypatch, trace):
    out = io.StringIO()
    monkeypatch.setattr("sys.stdout", out)
    trace.print()
    assert out.getvalue() == str(trace)
    monkeypatch.setattr("sys.stdout", None)
    trace.print()


def test_related_modes(trace):
    assert "<< Related traces >>" not in printed(trace)
    by_file = printed(trace, mode=RelatedTracesOutputMode.FOR_EACH_FILE)
    assert re.search(r'<< Related traces >>\nFile ".*json/decoder\.py"\n', by_file)
    ranked = printed(trace, mode=RelatedTracesOutputMode.IN_DESCENDING_ORDER)
    assert re.search(r'#1 ".*json/decoder\.py": \(raw \d+ B\)\n', ranked)
    assert by_file.splitlines()[-1] == ranked.splitlines()[-1] == printed(trace).splitlines()[-1]


def test_patterns_select_related_traces():
    def related(**kwargs):
        out = io.StringIO()
        trace = malloc_tracer.trace(
            target, file=out, related_traces_output_mode=RelatedTracesOutputMode.FOR_EACH_FILE, **kwargs
        )
        assert str(trace) == out.getvalue()  # the trace remembers mode and patterns
        return "json/decoder.py" in out.getvalue()

    assert related()
    assert related(include_patterns=["*/json/*"])
    assert related(include_patterns="*/json/*")
    assert related(include_patterns={"*.nothing", "*/json/*"})
    assert not related(include_patterns=["*.nothing"])
    assert not related(exclude_patterns=["*/json/*"])
    assert not related(include_patterns=["*"], exclude_patterns=("*/json/*",))
    assert related(exclude_patterns=[])


def test_columns(trace):
    text = printed(trace, columns=("live", "peak", "allocated", "count", "temporary", "freed", "total"))
    header = next(line for line in text.splitlines() if line.startswith("Line #"))
    assert header.split() == "Line # Live Peak Allocated Count Temp Freed Total Line Contents".split()
    cells = {line[24:].split("    ")[-1]: line.split() for line in text.splitlines() if line[:6].strip().isdigit()}
    line = cells['b"x" * size'][1:-3]
    assert line == "0 B 97.7 KiB 293.1 KiB 3 3 293.1 KiB 0 B".split()
    line = cells["big = bytearray(100_000)"]
    assert shown(array(100_000)) in " ".join(line)
    assert printed(trace, columns=["count"]) != printed(trace, columns=["live"])


def test_color_adds_styles_to_the_very_same_characters(trace):
    plain = printed(trace)
    for kwargs in ({}, {"columns": ("live", "peak", "count")}, {"mode": RelatedTracesOutputMode.FOR_EACH_FILE}):
        colored = printed(trace, color=True, **kwargs)
        assert "\x1b[" in colored
        assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == printed(trace, color=False, **kwargs)
    line = next(line for line in printed(trace, color=True).splitlines() if shown(array(100_000)) in line)
    assert f"\x1b[1m{shown(array(100_000))}\x1b[0m" in line
    assert "\x1b" not in plain


def test_color_without_rich(trace, monkeypatch):
    import sys

    for name in ("rich", "rich.console", "rich.syntax"):
        monkeypatch.setitem(sys.modules, name, None)
    colored = printed(trace, color=True)
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == printed(trace)


def on_terminal(trace, width, **kwargs):
    """What is printed on a terminal of so many columns, its styles taken away."""
    parent, child = os.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 30, width, 0, 0))
    seen = []

    def read():
        with contextlib.suppress(OSError):  # nobody writes any more
            while part := os.read(parent, 4096):
                seen.append(part)

    reader = threading.Thread(target=read)
    reader.start()
    with open(child, "w", encoding="utf-8") as stream:
        trace.print(stream, color=True, **kwargs)
    reader.join()
    os.close(parent)
    return re.sub(r"\x1b\[[0-9;]*m", "", b"".join(seen).decode()).replace("\r\n", "\n")


def wide():
    text = "\u5e45\u5e45\u5e45\u5e45\u5e45"
    return (
        bytearray(100_000),
        "幅幅幅幅幅幅幅幅幅幅幅幅幅幅幅幅幅幅幅幅",
        "this line goes on and on, and on, until it is too long for most",
    )


def columns_of(line):
    return sum(2 if char == "幅" else 1 for char in line)


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_on_a_terminal_no_row_runs_on_and_no_number_is_cut(width):
    trace = malloc_tracer.trace(wide, quiet=True)
    plain, seen = str(trace).splitlines(), on_terminal(trace, width).splitlines()
    assert len(seen) == len(plain)
    start = next(line for line in plain if line.startswith("Line #")).index("Line Contents")
    is_table = False
    widest = 0
    for whole, line in zip(plain, seen):
        is_table = is_table or whole.startswith("Line #")
        if not is_table or not whole.startswith((" ", "Line", "=", "-")):
            assert line == whole
            continue
        columns = columns_of(line)
        widest = max(widest, columns_of(whole))
        assert columns <= width
        assert whole.startswith(line)
        assert line == whole or columns >= width - 1  # a wide character may not have fitted
        if whole[0] not in "=-":
            assert len(line) >= len(whole[:start].rstrip())
    assert 80 < widest <= 200
    assert (seen == plain) == (widest <= width)


def test_plain_text_is_never_cut(trace):
    parent, child = os.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 40, 0, 0))
    with open(child, "w", encoding="utf-8") as stream:
        trace.print(stream, color=False)
        assert os.read(parent, 8192).decode().replace("\r\n", "\n") == str(trace)
    os.close(parent)


@pytest.mark.parametrize(
    ("environment", "isatty", "expected"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "dumb"}, False, True),
    ],
)
def test_color_none_asks_the_environment_and_the_terminal(trace, monkeypatch, environment, isatty, expected):
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out = io.StringIO()
    out.isatty = lambda: isatty
    trace.print(out)
    assert ("\x1b[" in out.getvalue()) == expected


def test_a_file_needs_no_more_than_write(trace):
    class Sink:
        def __init__(self):
            self.text = ""

        def write(self, text):
            self.text += text

    sink = Sink()
    trace.print(sink)
    assert sink.text == str(trace)
