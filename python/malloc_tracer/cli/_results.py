"""The report of `malloc-tracer run`: to stderr, or to a file."""

from __future__ import annotations

import io

from .. import merge
from .._color import fitted, hidden, paint, wants_color, width_of
from .._trace import kept_elsewhere
from ._messages import tell
from ._options import COLUMNS

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from typing import Any

    from .._trace import Trace
    from ._recorder import Result

_COLORS = {"auto": None, "always": True, "never": False}


def write(results: Sequence[Result], missing: Sequence[str], arguments: argparse.Namespace, stream: Any) -> None:
    """Writes `results` as the options say; `missing` are sentences about targets that were not found.

    Raises:
        MallocTracerError: It cannot be written there; the error names the file where it is instead.
    """
    for sentence in missing:
        tell(sentence, stream=stream)
    if not results:
        return
    if stream is not None and stream.closed:  # by the program
        stream = None
    if arguments.format == "text":
        color = None if arguments.output else _COLORS[arguments.color]
        is_painted = wants_color(color, None if arguments.output else stream)
        report: str | bytes = _text(results, arguments.columns, is_painted, width_of(stream))
    else:
        report = _one(results).report(arguments.format)
    _put(report, arguments.format, arguments.output, stream)


def _text(results: Sequence[Result], columns: Sequence[str], is_painted: bool, width: int | None) -> str:
    out = io.StringIO()
    room = width if columns is COLUMNS else None  # what was asked for is shown
    fewest: Sequence[str] = columns
    for result in results:
        title = _title(result)
        out.write(f"\x1b[1m{title}\x1b[0m\n" if is_painted else title + "\n")
        if result.calls or result.kind == "program":
            listing, shown = _listing(result.trace, columns, room if is_painted else None)
            out.write(paint(listing, result.trace._data.sum, shown, width) if is_painted else listing)
            fewest = min(fewest, shown, key=len)
        out.write("\n")
    return out.getvalue() + hidden(columns, fewest)


def _listing(trace: Trace, columns: Sequence[str], room: int | None) -> tuple[str, Sequence[str]]:
    return fitted(lambda names: trace._written("text", columns=names).decode(), columns, room)


def _title(result: Result) -> str:
    name, file, _ = result.place
    if result.kind == "program":
        return f"{file or 'program'}: {_many(result.calls, 'process', 'processes')}"
    if result.kind == "scope":
        return f"Scope {name!r}: {_many(result.calls, 'time', 'times')}"
    return f"{name}: " + (_many(result.calls, "call", "calls") if result.calls else "never called")


def _many(count: int, one: str, several: str) -> str:
    return f"{count:,} {one if count == 1 else several}"


def _one(results: Sequence[Result]) -> Trace:
    """Returns the one trace that a file holds: the whole program, or the sum of the functions."""
    # Profiles and scopes record what these have recorded already; to count it twice would be wrong.
    traces = [result.trace for result in results if result.kind in ("program", "function")]
    traces = traces or [result.trace for result in results]
    return traces[0] if len(traces) == 1 else merge(traces)


def _put(report: str | bytes, format: str, output: str, stream: Any) -> None:
    raw = report if isinstance(report, bytes) else report.encode("utf-8", "backslashreplace")
    place = output or "standard error"
    try:
        if output:
            with open(output, "wb") as file:
                file.write(raw)
        elif stream is None:
            raise kept_elsewhere(raw, format, f"{place} is closed")
        else:
            stream.flush()
            stream.buffer.write(raw)
            stream.flush()
    except OSError as error:
        raise kept_elsewhere(raw, format, f"{place}: cannot be written: {error.strerror or error}") from error
