"""Options that several sub-commands have, and where their output goes."""

from __future__ import annotations

import sys

from .._files import format_of, formats, write_report

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
    parser.add_argument(
        "--format", choices=formats(), metavar="FMT", help=f"{', '.join(formats())}; default by OUT's suffix, else text"
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="write to this file instead of standard output")
    add_color(parser)


def write(trace: Trace, arguments: argparse.Namespace, source: bool = True) -> None:
    """Writes `trace` as the options of `add_output` say."""
    format = arguments.format or (format_of(arguments.output) if arguments.output else "text")
    if arguments.output:
        write_report(trace, arguments.output, format, source, COLUMNS)
    elif format == "text":
        color = {"auto": None, "always": True, "never": False}[arguments.color]
        trace.print(columns=COLUMNS, color=color)
    else:
        report = trace._written(format, source)
        sys.stdout.flush()
        sys.stdout.buffer.write(report)
