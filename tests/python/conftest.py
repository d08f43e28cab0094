import io
import re
import subprocess
import sys

import pytest

import malloc_tracer


class Row:
    """One line of a listing's target table."""

    def __init__(self, file, line):
        self.file = file
        self.number = int(line[:6])
        self.size = line[6:20].strip()
        self.text = line[24:]


def target_rows(text):
    """The rows of all target tables of a listing in 1.7's layout."""
    rows, file, inside = [], "", False
    for line in text.partition("<< Related traces >>")[0].splitlines():
        if line.startswith('File "'):
            file = line[6:-1]
        elif line.startswith(("====", "----")):
            inside = line.startswith("=")
        elif inside:
            rows.append(Row(file, line))
    return rows


def assert_as_marked(trace, text):
    """Every shown line that ends in `# live N` has N live bytes of its own, and every other line none.

    N may be an object, or `object * count`: then it is what such objects take in this interpreter.
    """
    rows = target_rows(text)
    assert any("# live " in row.text for row in rows), text
    for row in rows:
        mark = re.search(r"# live (?:(\d+)|(bytearray\(\d+\))(?: \* (\d+))?)", row.text)
        expected = 0
        if mark:
            expected = int(mark[1]) if mark[1] else sys.getsizeof(eval(mark[2])) * int(mark[3] or 1)
        assert trace.line(row.file, row.number).self.live_bytes == expected, f"line {row.number}: {row.text}\n{text}"
        assert (row.size != "") == (expected != 0), f"line {row.number}: {row.text}\n{text}"


class Traced:
    """A trace and its listing."""

    def __init__(self, trace, text):
        self.trace = trace
        self.text = text
        self.result = trace.result
        self.source = [row.text.strip() for row in target_rows(text)]

    def as_marked(self):
        assert_as_marked(self.trace, self.text)
        return self


@pytest.fixture
def traced():
    """Traces a target: traced(f, args=(1,)).as_marked()."""

    def call(target, **kwargs):
        out = io.StringIO()
        trace = malloc_tracer.trace(target, file=out, **kwargs)
        return Traced(trace, out.getvalue())

    return call


@pytest.fixture
def python(tmp_path):
    """Runs another interpreter and returns what it printed: python("-c", code)."""

    def run(*arguments, stdin=None, cwd=tmp_path, **environment):
        import os

        done = subprocess.run(
            [sys.executable, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**os.environ, **environment},
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run
