"""What is made from the parser: shell completion and the man page."""

import re
import shutil
import subprocess

import pytest

from command_line import CommandLine


@pytest.fixture
def cli(tmp_path):
    return CommandLine(tmp_path)


def completed(cli, *words):
    """What bash offers for the last of `words`."""
    script = cli.tracer("--print-completion", "bash").out
    quoted = " ".join(f"'{word}'" for word in words)
    script += f'COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _malloc_tracer; echo "${{COMPREPLY[@]}}"\n'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completion(cli):
    assert completed(cli, "malloc-tracer", "") == [
        *("run", "report", "diff", "merge", "view"),
        *("-h", "--help", "--print-completion", "--print-man"),
    ]
    assert completed(cli, "malloc-tracer", "me") == ["merge"]
    assert completed(cli, "malloc-tracer", "run", "--c") == ["--columns", "--children", "--color"]
    assert completed(cli, "malloc-tracer", "run", "--threads", "") == ["all", "current"]
    assert completed(cli, "malloc-tracer", "diff", "--fail") == ["--fail-if-grows"]
    assert completed(cli, "malloc-tracer", "run", "x") == []


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completion_is_valid(cli):
    script = cli.file("_malloc-tracer", cli.tracer("--print-completion", "zsh").out)
    done = subprocess.run(
        ["zsh", "-c", f"autoload -U compinit; compinit -u -D; source {script}; whence -w _malloc_tracer"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("_malloc_tracer: function\n", "")


def test_zsh_completion_names_every_option(cli):
    text = cli.tracer("--print-completion", "zsh").out
    assert text.startswith("#compdef malloc-tracer\n")
    for option in ("'-f[", "'--children[", "'--threads[", "'--fail-if-grows[", "'run:run a program"):
        assert option in text


def test_man_page(cli):
    text = cli.tracer("--print-man").out
    assert text.startswith(".TH MALLOC-TRACER 1\n.SH NAME\n")
    for line in (".SS run", ".SS diff", ".B \\-f TARGET", ".B \\-\\-threads all|current", ".SH EXIT STATUS"):
        assert line in text.splitlines()
    if shutil.which("groff"):
        done = subprocess.run(
            ["groff", "-man", "-Tutf8", "-ww"], input=text, capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stderr == ""
        assert "--children" in re.sub(".\b", "", done.stdout).replace("\u2212", "-").replace("\u2010", "-")
