"""Traces made of traces: differences and sums."""

from __future__ import annotations

from ._arguments import shown
from ._engine import merged, pause, resume
from ._listing import Listing
from ._trace import Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ._engine import TraceData


def difference(now: Trace, before: Trace) -> tuple[TraceData, Listing]:
    """Returns what `Trace.diff` makes its result of. The caller has paused recording."""
    if not isinstance(before, Trace):
        raise TypeError(f"earlier must be a Trace, not {shown(before)}")
    data = now._data.minus(before._data, now._listing.source, before._listing.source)
    return data, now._listing


def merge(traces: Iterable[Trace]) -> Trace:
    """Returns the sum of traces: of many calls, processes or workers.

    All numbers are added up, of every line, thread and allocator; peaks as well, so the peak is an upper bound where
    the parts did not run at the same time. The result is an ordinary trace without a timeline.

    Raises:
        TypeError: One of them is not a Trace.
        ValueError: There is none.

    Example:
        >>> malloc_tracer.merge([malloc_tracer.load(path) for path in paths]).save("all.json")
    """
    pause()
    try:
        parts = list(traces)
        for part in parts:
            if not isinstance(part, Trace):
                raise TypeError(f"traces must be Trace objects, not {shown(part)}")
        if not parts:
            raise ValueError("traces must hold at least one Trace")
        first = parts[0]._listing
        source = _first_of([part._listing.source for part in parts])
        listing = Listing(first.subject, first.mode, first.include, first.exclude, source)
        return Trace(merged([part._data for part in parts]), listing)
    finally:
        resume()


def _first_of(sources: list[Callable[[str], Sequence[str]]]) -> Callable[[str], Sequence[str]]:
    distinct = list(dict.fromkeys(sources))

    def lines(file: str) -> Sequence[str]:
        return next(filter(None, (source(file) for source in distinct)), [])

    return lines
