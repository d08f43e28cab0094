"""Colour for a listing: the very same characters with ANSI styles around them, cut where the terminal ends."""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ._engine import Counters

_ROOM_FOR_SOURCE = 30
_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
# Each column's number of the whole scope, in which a cell is a share.
_WHOLE = {
    "live": "live_bytes",
    "peak": "peak_bytes",
    "allocated": "allocated_bytes",
    "count": "allocated_count",
    "temporary": "temporary_count",
    "freed": "freed_bytes",
    "total": "live_bytes",
}


def wants_color(color: bool | None, stream: Any) -> bool:
    """Whether to colour what goes to `stream`: `color` decides, then FORCE_COLOR, NO_COLOR, TERM and the terminal."""
    if color is not None:
        return color
    if os.environ.get("FORCE_COLOR"):
        return True
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    isatty = getattr(stream, "isatty", None)
    return bool(isatty is not None and isatty())


def width_of(stream: Any) -> int | None:
    """Returns how many columns a line may have: None if `stream` is no terminal."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (AttributeError, OSError, ValueError):
        return None


def fitted(
    listing: Callable[[Sequence[str]], str], columns: Sequence[str], width: int | None
) -> tuple[str, Sequence[str]]:
    """Returns `listing` of those columns, from the left, that leave room for the source, and which they are."""
    text = listing(columns)
    while width is not None and len(columns) > 1 and _room(text, width) < _ROOM_FOR_SOURCE:
        columns = columns[:-1]
        text = listing(columns)
    return text, columns


def _room(text: str, width: int) -> int:
    head = re.search("^Line #.*(?=Line Contents)", text, re.MULTILINE)
    return width - len(head[0]) if head else width


def hidden(columns: Sequence[str], shown: Sequence[str]) -> str:
    """Returns the line below a listing that says which of `columns` are not shown, if any."""
    names = ", ".join(columns[len(shown) :])
    return f"columns hidden: {names} (--columns)\n" if names else ""


def paint(text: str, sums: Counters, columns: Sequence[str], width: int | None = None) -> str:
    """Returns `text` with rules dim, numbers bold from 10 % of the scope on, dim below 1 %, and source highlighted.

    Source and rules end at `width`, so that no row runs on into the next; numbers are never cut.
    """
    wholes = [getattr(sums, _WHOLE[column]) for column in columns or ("live",)]
    painted: list[str] = []
    rows: list[tuple[str, str]] = []  # number area painted, source text
    source_at, ends = 0, [0]
    for line in [*text.split("\n"), ""]:
        is_row = source_at > 0 and line[:6].strip().isdigit() and not line.startswith(("=", "-"))
        if is_row:
            number = _DIM + line[:6] + _RESET
            source = _cut(line[source_at:], width and width - source_at)
            rows.append((number + _cells(line[6:source_at], ends, wholes), source))
            continue
        painted += [number + source for number, source in zip((row[0] for row in rows), _highlight(rows))]
        rows = []
        if line.startswith("Line #"):
            source_at = line.index("Line Contents")
            ends = [match.end() - 6 for match in re.finditer(r"\S+", line[:source_at]) if match.start() > 5]
            line = line[:source_at] + _cut(line[source_at:], width and width - source_at)
        elif line.startswith("---"):
            source_at = 0
        if line.startswith(("===", "---")):
            line = _cut(line, width)
        is_frame = line.startswith(("Line #", "<< ", "===", "---"))
        painted.append(_DIM + line + _RESET if is_frame else line)
    return "\n".join(painted[:-1])


def _cells(area: str, ends: Sequence[int], wholes: Sequence[int]) -> str:
    """Paints the numbers of one row. A cell belongs to the column that ends where it ends; the only column has all."""

    def painted(match: re.Match[str]) -> str:
        column = ends.index(match.end()) if match.end() in ends and len(wholes) > 1 else 0
        share = float(match[1].replace(",", "")) * _UNITS[match[2] or "B"] / max(wholes[column], 1)
        style = _BOLD if share >= 0.1 else _DIM if share < 0.01 else ""
        return style + match[0] + _RESET if style else match[0]

    return re.sub(r"([\d,.]+)(?: (B|[KMGT]iB))?", painted, area)


def _cut(text: str, width: int | None) -> str:
    """Returns as much of `text` as fits into `width` columns of a terminal."""
    if width is None or (len(text) <= width and text.isascii()):
        return text
    from unicodedata import combining, east_asian_width

    taken = 0
    for index, char in enumerate(text):
        taken += 0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1
        if taken > width:
            return text[:index]
    return text


def _highlight(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Returns the source of `rows` highlighted by rich, or as it is where rich is not installed."""
    lines = [source for _, source in rows]
    try:
        from rich.console import Console
        from rich.syntax import Syntax
    except ImportError:
        return lines
    parts = Syntax("", "python", theme="ansi_dark").highlight("\n".join(lines)).split("\n", allow_blank=True)
    console = Console(force_terminal=True, color_system="standard", no_color=False, width=1 << 16)
    highlighted: list[str] = []
    for line, part in zip(lines, parts):
        with console.capture() as capture:
            console.print(part, end="", soft_wrap=True, highlight=False, markup=False, emoji=False)
        highlighted.append(capture.get() if part.plain == line else line)
    return highlighted + lines[len(highlighted) :]
