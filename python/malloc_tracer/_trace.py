"""The result of a scope as users see it."""

from __future__ import annotations

import os
import sys

from ._arguments import check_columns, check_file, check_mode, shown
from ._engine import formats, pause, resume
from ._errors import MallocTracerError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ._engine import Allocator, File, Function, Line, Node, Thread, TraceData
    from ._listing import Listing, RelatedTracesOutputMode
    from ._saved import SavedListing


class Trace:
    """What one scope allocated: numbers by line, function, file, thread and allocator, and the call tree. Immutable.

    Sizes are in bytes as the program asked for them, `*_count` counts blocks. *live*: not freed when the scope ended.
    *peak*: at the moment when the live bytes were highest. *temporary*: freed by the very next event of the same
    thread. In every list `self` means that the innermost frame is this place, `total` this place or anything it called.
    The `self` numbers of each list add up to the trace's own.

    Example:
        >>> trace = malloc_tracer.trace(bytearray, args=(1000,), quiet=True)
        >>> trace.live_bytes, len(trace.result)
        (1057, 1000)
    """

    __slots__ = ("_data", "_is_complete", "_listing", "_result")

    def __init__(self, data: TraceData, listing: Listing | SavedListing, result: Any = None) -> None:
        self._data = data
        self._is_complete = False
        self._listing = listing
        self._result = result

    @property
    def name(self) -> str:
        """The scope's name: what `Scope` was given, or the target's qualified name."""
        return self._data.name

    @property
    def result(self) -> Any:
        """What the target returned; None for generators, for a target that raised, and for other scopes."""
        return self._result

    @property
    def duration_ns(self) -> int:
        """How long the scope was open, in nanoseconds, what recording costs included."""
        return self._data.duration_ns

    @property
    def python_version(self) -> str:
        """The interpreter's version, such as "3.13.0"."""
        return self._data.python_version

    @property
    def live_bytes(self) -> int:
        """Bytes not yet freed when the scope ended."""
        return self._data.sum.live_bytes

    @property
    def live_count(self) -> int:
        """Blocks not yet freed when the scope ended."""
        return self._data.sum.live_count

    @property
    def peak_bytes(self) -> int:
        """The highest number of live bytes at any moment of the scope."""
        return self._data.sum.peak_bytes

    @property
    def peak_count(self) -> int:
        """Blocks live at the moment of `peak_bytes`."""
        return self._data.sum.peak_count

    @property
    def allocated_bytes(self) -> int:
        """Bytes of all blocks allocated in the scope."""
        return self._data.sum.allocated_bytes

    @property
    def allocated_count(self) -> int:
        """Blocks allocated in the scope."""
        return self._data.sum.allocated_count

    @property
    def freed_bytes(self) -> int:
        """Bytes of the scope's blocks that were freed before it ended: allocated - live."""
        return self._data.sum.freed_bytes

    @property
    def freed_count(self) -> int:
        """The scope's blocks that were freed before it ended."""
        return self._data.sum.freed_count

    @property
    def temporary_count(self) -> int:
        """Blocks freed by the very next event of the thread that allocated them."""
        return self._data.sum.temporary_count

    @property
    def reallocated_count(self) -> int:
        """Reallocations of the scope's blocks."""
        return self._data.sum.reallocated_count

    @property
    def lines(self) -> list[Line]:
        """Lines with `file`, `number`, `function`, `self` and `total`, largest first (live, then allocated bytes)."""
        return self._data.lines

    @property
    def functions(self) -> list[Function]:
        """Functions with `name` (qualified), `file`, `self` and `total`, largest first."""
        return self._data.functions

    @property
    def files(self) -> list[File]:
        """Files with `name`, `kind` ("yours", "library" or "native"), `self` and `total`, largest first."""
        return self._data.files

    @property
    def threads(self) -> list[Thread]:
        """Threads with `name`, `id`, `self` and `total`, largest first."""
        return self._data.threads

    @property
    def allocators(self) -> list[Allocator]:
        """Allocators with `name` (such as "python object" or "malloc"), `self` and `total`, largest first."""
        return self._data.allocators

    @property
    def root(self) -> Node:
        """The root of the call tree: nodes with `frame`, `parent`, `children`, `self` and `total`."""
        return self._data.root

    @property
    def lost(self) -> dict[str, int]:
        """What could not be recorded and how often: {} in a healthy run."""
        return self._data.lost

    @property
    def timeline(self) -> list[tuple[int, int]]:
        """Live bytes over time: [(nanoseconds since the scope began, bytes)], at most 1,024 points."""
        return self._data.timeline

    @property
    def block_sizes(self) -> list[int]:
        """Blocks allocated, by size: [of 0 bytes, 1, 2 to 3, 4 to 7, ...], so the index is `size.bit_length()`.

        They add up to `allocated_count`. Empty for a trace from a file of an older version, which has none.
        """
        return self._data.block_sizes

    def line(self, function_or_file: Callable[..., Any] | str, number: int) -> Line:
        """Returns one line, with zeros if nothing happened there.

        Args:
            function_or_file: A function (the one behind it, if it is decorated), its qualified name, or a file name
                as it stands in `co_filename`.
            number: The line's number in its file.

        Raises:
            TypeError: One of the arguments is something else.

        Example:
            >>> trace.line(func, 8).self.live_bytes
            8096
        """
        if not isinstance(number, int):
            raise TypeError(f"number must be the line's number in its file, not {shown(number)}")
        if isinstance(function_or_file, str):
            return self._data.line(function_or_file, number)
        from ._targets import listed_function

        function = listed_function(function_or_file)
        if function is None:
            raise TypeError(
                "function_or_file must be a Python function, its qualified name or a file name, "
                f"not {shown(function_or_file)}"
            )
        return self._data.line(function.__code__.co_filename, number)

    def print(
        self,
        file: Any = None,
        mode: RelatedTracesOutputMode | None = None,
        columns: Sequence[str] | None = None,
        color: bool | None = None,
    ) -> None:
        """Prints the listing: the target's source lines with the numbers beside them.

        Args:
            file: Where to; default `sys.stdout`.
            mode: Which lines outside the target to show; default as when it was traced.
            columns: Any of "live", "peak", "allocated", "count" (blocks allocated), "temporary" (a count), "freed",
                "total" (live, total); default 1.7's one column `Size` (live, self).
            color: True or False force it; None colours on a terminal, unless `NO_COLOR` is set. In colour the source
                ends where the terminal does; plain text is never cut.

        Raises:
            TypeError, ValueError: An argument is not one of these.

        Example:
            >>> trace.print(columns=("live", "peak", "count"))
        """
        pause()
        try:
            self._print(file, mode, columns, color, may_hide=False)
        finally:
            resume()

    def _print(
        self,
        file: Any,
        mode: RelatedTracesOutputMode | None,
        columns: Sequence[str] | None,
        color: bool | None,
        *,
        may_hide: bool,
    ) -> None:
        """Prints; `may_hide` says that nobody has asked for just these columns."""
        from ._color import fitted, hidden, paint, wants_color, width_of

        check_file(file)
        names = check_columns(columns)
        stream = sys.stdout if file is None else file
        if stream is None:  # pythonw has no stdout
            return
        shown_mode = None if mode is None else check_mode("mode", mode)
        encoding = getattr(stream, "encoding", None) or "utf-8"

        def listing(columns: Sequence[str]) -> str:
            text = self._listing.text(self._data, shown_mode, columns)
            return text.encode(encoding, "backslashreplace").decode(encoding)

        if not wants_color(color, stream):
            stream.write(listing(names))
            return
        width = width_of(stream)
        text, shown = fitted(listing, names, width if may_hide else None)
        stream.write(paint(text, self._data.sum, shown, width) + hidden(names, shown))

    def report(self, format: str = "text") -> str | bytes:
        """Returns the trace written out, as str, or as bytes where the format is not text.

        Args:
            format: "text" (the listing) or another format that `save` knows, such as "json".

        Raises:
            ValueError: There is no such format.

        Example:
            >>> json.loads(trace.report("json"))["sum"]["live_bytes"] == trace.live_bytes
            True
        """
        pause()
        try:
            is_text = {name: is_text for name, _, is_text in formats()}
            if format not in is_text:
                names = ", ".join(repr(name) for name in is_text)
                raise ValueError(f"format: no report {shown(format)}; there are {names}")
            written = self._written(format)
            return written.decode() if is_text[format] else written
        finally:
            resume()

    def save(self, path: str | os.PathLike[str], source: bool = True) -> None:
        """Writes the trace to a file in the format that its suffix stands for; `malloc_tracer.load` reads .json.

        Args:
            path: The file.
            source: False leaves the source text out.

        Raises:
            ValueError: No format has this suffix.
            MallocTracerError: The file cannot be written; the error names the file where the trace is instead.

        Example:
            >>> trace.save("load.json")
        """
        pause()
        try:
            name = os.fspath(path)
            write_report(self, name, format_of(name), source)
        finally:
            resume()

    def diff(self, earlier: Trace) -> Trace:
        """Returns what changed since `earlier`: a trace whose numbers are this one's minus those of `earlier`.

        Lines are matched by function and text, so a line that has only moved is no change. What is left over is one
        line that was edited if there is one old and one new line between two that are the same; else a line that only
        `earlier` has carries its number negated (docs/trace-format.md, "Differences").

        Raises:
            TypeError: `earlier` is no Trace.
            MallocTracerError: One of the two is a difference already.

        Example:
            >>> trace.diff(trace).live_bytes
            0
        """
        pause()
        try:
            from ._saved import SavedListing

            if not isinstance(earlier, Trace):
                raise TypeError(f"earlier must be a Trace, such as malloc_tracer.load(path), not {shown(earlier)}")
            return Trace(self._complete().diff(earlier._complete()), SavedListing())
        finally:
            resume()

    def show(self) -> None:
        """Opens the trace as a page in the browser.

        Raises:
            MallocTracerError: There is no browser; the error names the page's file. Or no file can be written.
        """
        pause()
        try:
            import tempfile
            import webbrowser

            try:
                with tempfile.NamedTemporaryFile(prefix="malloc_tracer-", suffix=".html", delete=False) as file:
                    file.write(self._written("html"))
            except OSError as error:
                raise MallocTracerError(f"the page cannot be written to a temporary file: {error}") from error
            if not webbrowser.open("file://" + file.name):
                raise MallocTracerError(f"no browser could be started; open {file.name}")
        finally:
            resume()

    def to_dict(self) -> dict[str, Any]:
        """Returns all numbers as dicts and lists that JSON can hold, named as the attributes; `result` is left out.

        The call tree is the list `nodes`, parents before children: each has its `parent`'s index, None for the root.
        """
        pause()
        try:
            from ._dictionary import trace_dict

            return trace_dict(self._data)
        finally:
            resume()

    def __str__(self) -> str:
        pause()
        try:
            return self._listing.text(self._data)
        finally:
            resume()

    def __repr__(self) -> str:
        pause()
        try:
            from ._sizes import summary

            return summary(self._data)
        finally:
            resume()

    def _repr_html_(self) -> str:
        pause()
        try:
            return self._complete().html_table()
        finally:
            resume()

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same numbers, places and facts; `result` and source text do not matter."""
        return self._data == other._data if isinstance(other, Trace) else NotImplemented

    def __hash__(self) -> int:
        return hash((self._data.name, self._data.duration_ns, self._data.sum))

    def _complete(self) -> TraceData:
        """Returns the data with source text. The caller has paused recording."""
        if not self._is_complete:
            self._data = self._listing.complete(self._data)
            self._is_complete = True
        return self._data

    def _written(self, format: str, source: bool = True, columns: Sequence[str] = ()) -> bytes:
        """Returns the trace in a format. The caller has paused recording."""
        if not source:
            return self._without_source()._written(format, True, columns)
        if format == "text":
            return self._listing.text(self._data, None, columns).encode()
        return self._complete().written(format)

    def _without_source(self) -> Trace:
        """Returns the same trace without source text. The caller has paused recording."""
        from ._saved import SavedListing

        return Trace(self._complete().without_source(), SavedListing())


def format_of(path: str) -> str:
    """Returns the name of the format that the suffix of `path` stands for."""
    suffixes = {suffix: name for name, suffix, _ in formats()}
    for suffix in sorted(suffixes, key=len, reverse=True):
        if path.endswith(suffix):
            return suffixes[suffix]
    raise ValueError(f"{path}: no format has this suffix; use one of {' '.join(suffixes)}")


def write_report(trace: Trace, path: str, format: str, source: bool = True, columns: Sequence[str] = ()) -> None:
    """Writes `trace` to `path`, or, if that fails, to a temporary file that the error names."""
    written = trace._written(format, source, columns)
    try:
        with open(path, "wb") as file:
            file.write(written)
    except OSError as error:
        raise kept_elsewhere(written, format, f"{path}: cannot be written: {error.strerror or error}") from error


def kept_elsewhere(written: bytes, format: str, reason: str) -> MallocTracerError:
    """Puts a report that has no other place into a temporary file, and returns the error that names it."""
    import tempfile

    suffix = next(suffix for name, suffix, _ in formats() if name == format)
    try:
        with tempfile.NamedTemporaryFile(prefix="malloc_tracer-", suffix=suffix, delete=False) as kept:
            kept.write(written)
    except OSError as error:
        return MallocTracerError(f"{reason}; nor can a temporary file: {error}")
    return MallocTracerError(f"{reason}; the trace is in {kept.name} instead")
