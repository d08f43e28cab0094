"""The text report of a trace: what stands in its tables."""

from __future__ import annotations

from enum import Enum

from ._engine import Section
from ._source import file_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._engine import TraceData
    from ._source import Stretch

    # What the target table shows of a trace: stretches of source, and what to say if there are none.
    Subject = Callable[[TraceData], tuple[list[Stretch], str]]


class RelatedTracesOutputMode(Enum):
    """Which lines outside the target a listing shows.

    Attributes:
        NONE: None of them.
        FOR_EACH_FILE: A table for each file, by line number.
        IN_DESCENDING_ORDER: One table, the largest first.
    """

    NONE = 0
    FOR_EACH_FILE = 1
    IN_DESCENDING_ORDER = 2


class Listing:
    """How a trace is listed unless the caller says otherwise: its subject, the related lines and their patterns."""

    __slots__ = ("exclude", "include", "mode", "subject")

    def __init__(
        self,
        subject: Subject,
        mode: RelatedTracesOutputMode = RelatedTracesOutputMode.NONE,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
    ) -> None:
        self.subject = subject
        self.mode = mode
        self.include = include
        self.exclude = exclude

    def text(self, data: TraceData, mode: RelatedTracesOutputMode | None = None, columns: Sequence[str] = ()) -> str:
        """Writes the listing of `data`. The caller has paused recording."""
        stretches, note = self.subject(data)
        return data.text(
            target=[Section(part.file, part.first_line, part.text, part.note, part.last_line) for part in stretches],
            note=note,
            columns=columns,
            related=(mode or self.mode).name.lower(),
            include=self.include,
            exclude=self.exclude,
            source=file_lines,
        )

    def complete(self, data: TraceData) -> TraceData:
        """Returns `data` with the source text as it was when traced, and with what is listed."""
        from ._saved import sources

        stretches, note = self.subject(data)
        return data.with_source(
            sources(data, stretches),
            [(part.file, part.first_line, max(part.last_line, part.first_line), part.note) for part in stretches],
            note,
            self.mode.name.lower(),
            self.include,
            self.exclude,
        )
