"""Options that several sub-commands have, and where their output goes."""

from __future__ import annotations

import sys

from .._engine import formats
from .._errors import MallocTracerError
from .._trace import format_of, write_report

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from .._trace import Trace

COLUMNS = ("live", "peak", "allocated", "count")


def add_color(parser: argparse.ArgumentParser) -> None:
    """Adds `--color`."""
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colour the listing: auto (default) does so on a terminal unless NO_COLOR is set",
    )


def add_output(parser: argparse.ArgumentParser) -> None:
    """Adds `--format`, `-o` and `--color`."""
    names = [name for name, _, _ in formats()]
    parser.add_argument(
        "--format", choices=names, metavar="FMT", help=f"{', '.join(names)}; default by OUT's suffix, else text"
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="write to this file instead of standard output")
    add_color(parser)


def write(trace: Trace, arguments: argparse.Namespace) -> None:
    """Writes `trace` as the options of `add_output` say."""
    format = arguments.format or _format_by_suffix(arguments.output)
    if arguments.output is not None:
        write_report(trace, arguments.output, format, columns=COLUMNS)
    elif format == "text":
        color = {"auto": None, "always": True, "never": False}[arguments.color]
        trace._print(None, None, COLUMNS, color, may_hide=True)
    elif sys.stdout is not None:
        report = trace._written(format)
        sys.stdout.flush()
        sys.stdout.buffer.write(report)


def write_output(trace: Trace, output: str) -> None:
    """Writes `trace` to the file `output`, whose suffix chooses the format."""
    write_report(trace, output, _format_by_suffix(output), columns=COLUMNS)


def _format_by_suffix(output: str | None) -> str:
    if output is None:
        return "text"
    try:
        return format_of(output)
    except ValueError as error:
        raise MallocTracerError(f"{error}, or name the format with --format") from None
