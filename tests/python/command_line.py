"""Runs `malloc-tracer` and Python itself side by side, in a folder of the test's."""

import os
import re
import subprocess
import sys

ENVIRONMENT = {key: value for key, value in os.environ.items() if key not in ("MALLOC_TRACER", "FORCE_COLOR")}


class Done:
    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr


class CommandLine:
    def __init__(self, folder):
        self.folder = folder

    def file(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return str(path)

    def python(self, *arguments, **environment):
        done = subprocess.run(
            [sys.executable, *arguments],
            capture_output=True,
            text=True,
            cwd=self.folder,
            env={**ENVIRONMENT, **environment},
            timeout=60,
            check=False,
        )
        return Done(done)

    def tracer(self, *arguments, **environment):
        return self.python("-m", "malloc_tracer", *arguments, **environment)

    def run(self, *arguments, **environment):
        return self.tracer("run", *arguments, **environment)

    def trace(self, *arguments):
        """The trace that `run -o` has saved."""
        import malloc_tracer

        path = self.folder / "trace.json"
        done = self.run("-o", str(path), *arguments)
        assert done.code == 0, done.err
        assert done.err == ""
        return malloc_tracer.load(path)


def numbers(report, text):
    """The cells of the one listed line that ends in `text`: live, peak, allocated, count."""
    rows = [line for line in report.splitlines() if line[:6].strip().isdigit() and line.rstrip().endswith(text)]
    assert len(rows) == 1, report
    return re.findall(r"[\d,.]+(?: [KMG]iB| B)?", rows[0][6:52])
