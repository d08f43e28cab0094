"""README's section on the command line: each command is run as it is written there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import ENVIRONMENT

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = README.partition("### Command line\n")[2].partition("\n## ")[0]


def block(language):
    return re.search(rf"```{language}\n(.*?)```", SECTION, re.DOTALL)[1]


@pytest.fixture
def shell(tmp_path):
    (tmp_path / "inventory.py").write_text(block("python"))
    command = tmp_path / "bin" / "malloc-tracer"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m malloc_tracer "$@"\n')
    command.chmod(0o755)

    def run(line):
        path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["bash", "-c", line],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**ENVIRONMENT, "PATH": path},
            timeout=60,
            check=False,
        )

    return run


@pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="README shows what CPython 3.13 prints")
def test_listing_is_what_readme_shows(shell, tmp_path):
    command, _, listing = block("console").partition("\n")
    done = shell(command.removeprefix("$ "))
    assert (done.returncode, done.stdout) == (0, "")
    got = "\n".join(line.rstrip() for line in done.stderr.replace(f"{tmp_path}/", "").splitlines())
    assert got.strip() == listing.strip()


def test_every_command_runs(shell, tmp_path):
    for line in block("sh").splitlines():
        done = shell(line)
        assert (done.returncode, done.stdout if "> " not in line and "diff" not in line else "") == (0, ""), line
        assert "Traceback" not in done.stderr, line
    assert (tmp_path / "both.txt").read_text().startswith("<< Target traces >>\n")
    strict = shell("malloc-tracer diff before.json after.json --fail-if-grows 1%")
    assert strict.returncode == 1
    assert f"{tmp_path}/inventory.py:5 in load" in strict.stderr
