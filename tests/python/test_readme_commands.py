"""README: each command is run as it is written there, and each piece of Python."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from command_line import ENVIRONMENT

README = (Path(__file__).parents[2] / "README.md").read_text()
SECTION = README.partition("### Command line\n")[2].partition("\n## ")[0]
INVENTORY = re.search(r"```python\n(.*?)```", SECTION, re.DOTALL)[1]
# Building and testing: what runs this test has done it.
BUILD = {"scripts/quickstart", "scripts/test", "pip install .", "pip install '.[color]'"}


def blocks(language, text=README):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(block):
    return [line.partition("  #")[0].strip() for line in block.splitlines() if line.strip()]


@pytest.fixture
def shell(tmp_path):
    (tmp_path / "inventory.py").write_text(INVENTORY)
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


def test_every_command_runs(shell, tmp_path):
    for line in blocks("sh", SECTION)[0].splitlines():
        done = shell(line)
        assert (done.returncode, done.stdout if "> " not in line and "diff" not in line else "") == (0, ""), line
        assert "Traceback" not in done.stderr, line
    assert (tmp_path / "both.txt").read_text().startswith("<< Target traces >>\n")
    strict = shell("malloc-tracer diff before.json after.json --fail-if-grows 1%")
    assert strict.returncode == 1
    assert f"{tmp_path}/inventory.py:5 in load" in strict.stderr


def test_no_command_is_left_out():
    shown = [line for block in blocks("sh") for line in commands(block)]
    prose = re.sub(r"(?ms)^```.*?^```", "", README)
    shown += re.findall(r"`((?:malloc-tracer|python|pip) [^`]*)`", prose)
    run = set(commands(blocks("sh", SECTION)[0]))
    mentioned = {
        "malloc-tracer diff old.json new.json --fail-if-grows 5%",  # in the console block, with other names
        "malloc-tracer run",
        "python -m malloc_tracer",
    }
    assert [line for line in shown if line not in run | BUILD | mentioned] == []


def console(block):
    """Pairs of a command and what it prints."""
    parts = re.split(r"(?m)^\$ (.*)\n", block)
    return list(zip(parts[1::2], parts[2::2]))


@pytest.mark.skipif(sys.version_info[:2] != (3, 13), reason="README shows what CPython 3.13 prints")
@pytest.mark.parametrize("block", blocks("console"), ids=lambda block: block.partition("\n")[0])
def test_what_readme_shows_is_what_is_printed(shell, tmp_path, block):
    for command, expected in console(block):
        done = shell(command)
        assert done.returncode == (1 if "--fail-if-grows" in command else 0), done.stderr
        got = (done.stdout + done.stderr).replace(f"{tmp_path}/", "")
        assert [line.rstrip() for line in got.strip().splitlines()] == [
            line.rstrip() for line in expected.strip().splitlines()
        ], command


def test_every_piece_of_python_runs(tmp_path, monkeypatch, capsys):
    opened = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url.removeprefix("file://")) or True)
    names = {"__name__": "__main__", "load": lambda: [bytes(100) for _ in range(10)]}
    for number, block in enumerate(blocks("python")):
        if block == INVENTORY:
            continue
        path = tmp_path / f"block{number}.py"
        path.write_text(block)
        exec(compile(block, str(path), "exec"), names)
        if "handle" in names:
            names["handle"](None)
    assert len(opened) == 1
    os.unlink(opened[0])
    assert {path.name for path in tmp_path.glob("*.json")} == {"before.json"}
    assert "<< Target traces >>" in capsys.readouterr().out
    names["handle"].profile.reset()
    names.clear()
