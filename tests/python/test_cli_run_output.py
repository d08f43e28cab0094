"""Where the report of `malloc-tracer run` goes: standard error, a file, a terminal, and what if it cannot."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time

import pytest

from command_line import ENVIRONMENT, CommandLine
from sizes import array

TWO_FUNCTIONS = """\
def work(n):
    return bytearray(n), bytearray(n)

def other():
    return bytearray(77)

kept = work(1000), other()
"""


@pytest.fixture
def cli(tmp_path):
    return CommandLine(tmp_path)


def test_output_file_and_formats(cli):
    path = cli.file("app.py", TWO_FUNCTIONS)
    out = cli.folder / "out.txt"
    done = cli.run("-o", str(out), "-f", "app.py:work", path)
    assert (done.out, done.err) == ("", "")
    assert out.read_text().startswith("work: 1 call\n<< Target traces >>\n")
    trace = cli.trace("-f", "app.py:work", "-f", "app.py:other", path)
    assert trace.live_bytes == 2 * array(1000) + sys.getsizeof((0, 0)) + array(77)
    assert [function.name for function in trace.functions] == ["work", "other"]
    done = cli.run("--format", "json", "-f", "app.py:work", path)
    saved = json.loads(done.err)
    assert (saved["name"], done.out) == ("work", "")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """What a run has left in the folder for temporary files: its name and text."""
    folder = tmp_path / "kept"
    folder.mkdir()
    monkeypatch.setitem(ENVIRONMENT, "TMPDIR", str(folder))

    def only():
        (path,) = folder.iterdir()
        return path, path.read_text()

    return only


def test_output_that_cannot_be_written_is_kept(cli, kept):
    done = cli.run("-o", "no/such/folder/x.json", "-c", "x = 1")
    assert done.code == 0
    path, text = kept()
    reason = "no/such/folder/x.json: cannot be written: No such file or directory"
    assert done.err == f"malloc-tracer: {reason}; the trace is in {path} instead\n"
    assert (json.loads(text)["format"], path.suffix) == ("malloc_tracer trace", ".json")


UNTIL_NOBODY_READS = "import select; pipe = select.poll(); pipe.register(2, 0); pipe.poll()"


@pytest.mark.parametrize(
    ("code", "redirection"),
    [
        ("", "2>&-"),
        ("", "2>/dev/full"),
        (UNTIL_NOBODY_READS, "2> >(exec true)"),
        ("import sys; sys.stderr.close()", ""),
    ],
)
def test_report_without_a_standard_error_is_kept(cli, kept, code, redirection):
    path = cli.file("app.py", f"print('out')\nx = [0] * 1000\n{code}\n")
    done = in_shell(f"{TRACER} run {path} {redirection}")
    assert (done.returncode, done.stdout) == (0, "out\n")
    file, text = kept()
    assert file.suffix == ".txt"
    assert re.search(r"^ {5}2 +7\.9 KiB .* x = \[0\] \* 1000$", text, re.MULTILINE)


TRACER = f"{sys.executable} -m malloc_tracer"


def in_shell(command, **options):
    return subprocess.run(
        ["bash", "-c", command],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        timeout=60,
        check=False,
        start_new_session=True,  # without a terminal
        **options,
    )


def test_closed_standard_error_leaves_standard_output_to_the_program(cli, kept):
    assert in_shell(f"{TRACER} run -o /no/such/x.json -c 'print(1)' 2>&-").stdout == "1\n"
    assert kept()[0].suffix == ".json"
    for command in ("run -f nonsense -c 1", "report /no/such/x.json"):
        done = in_shell(f"{TRACER} {command} 2>&-")
        assert (done.returncode, done.stdout) == (2, "")


def test_terminal_is_told_where_the_report_is(cli, kept):
    path = cli.file("app.py", "x = bytearray(1000)\n")
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("bash", ["bash", "-c", f"{TRACER} run {path} 2>&-"], ENVIRONMENT)
    seen = read_all(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    file, _ = kept()
    assert seen.decode() == f"malloc-tracer: standard error is closed; the trace is in {file} instead\r\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "pass the program to run: SCRIPT, -m MODULE or -c CODE"),
        (["-m"], "-m: pass the name of a module"),
        (["-c"], "-c: pass Python code"),
        (["--bogus", "app.py"], "unrecognized arguments: --bogus"),
        (["--columns", "live,size", "app.py"], "no column 'size'"),
        (["-o", "x.foo", "app.py"], "-o x.foo: no format has this suffix; use one of .txt "),
        (["--format", "foo", "app.py"], "invalid choice: 'foo'"),
    ],
)
def test_usage_errors(cli, arguments, words):
    done = cli.run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.err


def test_columns_and_color(cli):
    path = cli.file("app.py", "kept = bytearray(1000)\n")
    done = cli.run("--columns", "count,live", path)
    assert done.err.splitlines()[3].split() == ["Line", "#", "Count", "Live", "Line", "Contents"]
    assert "\x1b[" not in done.err
    assert "\x1b[" in cli.run("--color", "always", path).err


def on_terminal(columns, *command):
    """A command whose report goes to a terminal of so many columns: its stdout if not there, and what it got."""
    parent, child = os.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "malloc_tracer", *command],
        stdout=child if command[0] == "report" else subprocess.PIPE,
        stderr=child,
        env={**ENVIRONMENT, "TERM": "xterm"},
    )
    os.close(child)
    seen = read_all(parent)
    return process.communicate(timeout=30)[0], seen


def read_all(terminal):
    """All that is written to a terminal until its other side is closed."""
    seen = b""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            break
        if not part:
            break
        seen += part
    os.close(terminal)
    return seen


WIDE = (
    "x = bytearray(1 << 20)  # a comment that goes on and on and on, beyond the end of the line, however wide that is\n"
)


def rows_on_terminal(width, *command):
    seen = re.sub(rb"\x1b\[[0-9;]*m", b"", on_terminal(width, *command)[1]).decode().split("\r\n")
    return seen[seen.index("<< Target traces >>") + 2 :]


@pytest.mark.parametrize(
    ("width", "heads", "hidden"),
    [
        (40, "Live", "columns hidden: peak, allocated, count (--columns)"),
        (80, "Live Peak Allocated", "columns hidden: count (--columns)"),
        (200, "Live Peak Allocated Count", None),
    ],
)
def test_no_row_runs_on_and_no_number_is_cut_on_a_terminal(cli, width, heads, hidden):
    path = cli.file("app.py", WIDE)
    cli.run("-o", str(cli.folder / "saved.json"), path)
    for command in (["run", path], ["report", str(cli.folder / "saved.json")]):
        head, rule, row, *rest = rows_on_terminal(width, *command)
        assert head.split() == ["Line", "#", *heads.split(), "Line", "Contents"]
        assert rule == "=" * min(width, 104)
        assert len(row) <= width
        assert re.fullmatch(r" {5}1 +1\.0 MiB.*    x = bytearray.*", row)
        assert [line for line in rest if line.startswith("columns hidden")] == ([hidden] if hidden else [])


def test_columns_that_were_asked_for_are_shown_on_any_terminal(cli):
    path = cli.file("app.py", WIDE)
    head, *rest = rows_on_terminal(70, "run", "--columns", "live,peak,allocated,count", path)
    assert head.split() == ["Line", "#", "Live", "Peak", "Allocated", "Count", "Line", "Contents"]
    assert not any(line.startswith("columns hidden") for line in rest)


def test_live_line_on_a_terminal(cli):
    path = cli.file("app.py", "import time\nx = bytearray(1 << 20)\ntime.sleep(2.4)\nprint('done')\n")
    out, seen = on_terminal(80, "run", path)
    assert out == b"done\n"
    assert seen.count(b"\r\x1b[Kmalloc-tracer: 2 s, live 1.0 MiB, peak 1.0 MiB, ") == 1
    assert b" events\r\r\x1b[K\r" in seen
