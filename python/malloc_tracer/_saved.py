"""What goes into a file beside the numbers: source text as it was when traced, and how the trace is listed."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ._engine import TraceData
    from ._listing import RelatedTracesOutputMode
    from ._source import Stretch

# Of files that are not the user's, so many lines around each line with numbers.
_AROUND = 3


class SavedListing:
    """The listing of a trace that brings its own text: one that was loaded, added up, or is a difference."""

    __slots__ = ()

    def text(self, data: TraceData, mode: RelatedTracesOutputMode | None = None, columns: Sequence[str] = ()) -> str:
        """Writes the listing of `data`."""
        return data.listing(columns, None if mode is None else mode.name.lower())

    def complete(self, data: TraceData) -> TraceData:
        """Returns `data` with its source text."""
        return data


def sources(data: TraceData, stretches: Iterable[Stretch]) -> list[tuple[str, int, str]]:
    """Returns the source text of the files of `data` as (file, number of the first line, text)."""
    found: list[tuple[str, int, str]] = []
    numbers: dict[str, set[int]] = {}
    for line in data.lines:
        numbers.setdefault(line.file, set()).add(line.number)
    for file in data.files:
        if file.kind == "native":
            continue
        lines = _lines_when_traced(file.name, data.time_ms)
        if lines and file.kind == "yours":
            found.append((file.name, 1, "\n".join(lines)))
        elif lines:
            for first, last in _surroundings(numbers.get(file.name, set()), len(lines)):
                found.append((file.name, first, "\n".join(lines[first - 1 : last])))
    whole = {file for file, first, _ in found if first == 1}
    for stretch in stretches:
        if stretch.text and stretch.file not in whole:
            found.append((stretch.file, stretch.first_line, "\n".join(stretch.text)))
    return found


def _lines_when_traced(file: str, time_ms: int) -> list[str]:
    """Returns the lines of a file, or [] if there are none or it was changed after the trace was taken."""
    import linecache

    from ._source import file_lines

    lines = file_lines(file)
    entry = linecache.cache.get(file)
    # An entry is (size, time of change, lines, path); without a time it is no file on disk.
    changed = entry[1] if entry is not None and len(entry) == 4 else None
    return [] if changed is not None and int(changed * 1000) > time_ms else lines


def _surroundings(numbers: Iterable[int], length: int) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for number in sorted(numbers):
        first, last = max(number - _AROUND, 1), min(number + _AROUND, length)
        if spans and first <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
        elif first <= last:
            spans.append((first, last))
    return spans
