"""The command line, `malloc-tracer` or `python -m malloc_tracer`: one module for each sub-command."""

from __future__ import annotations

import argparse
import sys

from .._errors import MallocTracerError
from . import _generated, diff, merge, report, run, view
from ._messages import tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# Each has `add_parser(subparsers)`, which sets `run`, a function from the arguments to the exit code.
_COMMANDS = (run, report, diff, merge, view)


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="malloc-tracer",
        description="line_profiler for malloc: records programs; shows, converts, compares and adds up saved traces.",
    )
    subparsers = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _generated.add_options(top)
    for command in _COMMANDS:
        command.add_parser(subparsers)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line and returns the exit code: 2 for usage errors and for files that cannot be used."""
    arguments = parser().parse_args(argv)
    runs_program = arguments.run is run.run
    if runs_program:
        return run.run(arguments)  # what the program raises is its own
    try:
        code: int = arguments.run(arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except MallocTracerError as error:
        tell(str(error))
        return 2
    except BrokenPipeError:  # such as `| head`: the reader has seen enough
        _forget_output()
        return 0
    except OSError as error:
        _forget_output()
        tell(f"standard output cannot be written: {error.strerror or error}")
        return 2
    return code


def _forget_output() -> None:
    """Lets what was not written yet go nowhere: at its exit Python would fail with it once more."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
