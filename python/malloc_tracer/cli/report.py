"""`malloc-tracer report`: a saved trace in another format."""

from __future__ import annotations

from .._files import load
from ._options import add_output, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the sub-command."""
    parser = subparsers.add_parser("report", help="show or convert a saved trace")
    parser.add_argument("file", metavar="FILE", help="a trace saved as .json")
    add_output(parser)
    parser.add_argument("--no-source", action="store_true", help="leave source text out")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the sub-command."""
    trace = load(arguments.file)
    write(trace._without_source() if arguments.no_source else trace, arguments)
    return 0
