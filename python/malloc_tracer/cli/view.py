"""`malloc-tracer view`: a saved trace as a page in the browser."""

from __future__ import annotations

from .._files import load

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the sub-command."""
    parser = subparsers.add_parser("view", help="open a saved trace in the browser")
    parser.add_argument("file", metavar="FILE", help="a trace saved as .json")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the sub-command."""
    load(arguments.file).show()
    return 0
