"""`malloc-tracer merge`: the sum of several saved traces."""

from __future__ import annotations

from .._files import load, merge
from ._options import write_output

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the sub-command."""
    parser = subparsers.add_parser("merge", help="add saved traces up into one")
    parser.add_argument("files", metavar="FILE", nargs="+", help="a trace saved as .json")
    parser.add_argument("-o", "--output", metavar="OUT", required=True, help="where to; the suffix chooses the format")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the sub-command."""
    write_output(merge([load(file) for file in arguments.files]), arguments.output)
    return 0
