"""`malloc-tracer diff`: what changed between two saved traces, and whether it grew too much."""

from __future__ import annotations

import argparse

from .._files import load
from .._sizes import signed_size, size
from ._messages import tell
from ._options import add_output, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .._trace import Trace

_SHOWN_LINES = 20


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the sub-command."""
    parser = subparsers.add_parser("diff", help="compare two saved traces")
    parser.add_argument("old", metavar="OLD", help="the earlier trace, saved as .json")
    parser.add_argument("new", metavar="NEW", help="the later one")
    add_output(parser)
    parser.add_argument(
        "--fail-if-grows",
        type=_percent,
        metavar="PERCENT",
        help="exit 1 and name the lines if live or peak bytes grow by more than this, such as 5%%",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Runs the sub-command."""
    old, new = load(arguments.old), load(arguments.new)
    change = new.diff(old)
    write(change, arguments)
    if arguments.fail_if_grows is None:
        return 0
    grown = [word for word in ("live", "peak") if _grows(word, old, new, arguments.fail_if_grows)]
    for word in grown:
        _name_lines(word, old, new, change, arguments.fail_if_grows)
    return 1 if grown else 0


def _percent(text: str) -> float:
    try:
        percent = float(text.removesuffix("%"))
    except ValueError:
        percent = -1.0
    if not 0 <= percent < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no percentage; pass one such as 5%")
    return percent


def _bytes(trace: Any, word: str) -> int:
    return int(getattr(trace, word + "_bytes"))


def _grows(word: str, old: Trace, new: Trace, percent: float) -> bool:
    return _bytes(new, word) > _bytes(old, word) * (1 + percent / 100)


def _name_lines(word: str, old: Trace, new: Trace, change: Trace, percent: float) -> None:
    before, now = _bytes(old, word), _bytes(new, word)
    share = f" ({100 * (now - before) / before:+.1f} %)" if before else ""
    lines = [line for line in change.lines if _bytes(line.self, word) > 0]
    lines.sort(key=lambda line: -_bytes(line.self, word))
    named = [
        f"  {signed_size(_bytes(line.self, word))}  {line.file}:{line.number} in {line.function}"
        for line in lines[:_SHOWN_LINES]
    ]
    if len(lines) > _SHOWN_LINES:
        named.append(f"  and {len(lines) - _SHOWN_LINES} more lines")
    tell(f"{word} bytes grew from {size(before)} to {size(now)}{share}, more than {percent:g} %:", *named)
