"""Traces in files: every format by its suffix, and `load`."""

from __future__ import annotations

import os

from ._arguments import shown
from ._engine import FORMAT, FORMAT_VERSION, formats, pause, resume, trace_of_document
from ._errors import MallocTracerError
from ._listing import Listing, RelatedTracesOutputMode
from ._source import Stretch
from ._trace import Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from ._engine import TraceData
    from ._listing import Subject

# Brackets take the most memory for their size when parsed: 72 bytes for the two of an empty object. Source text and
# names have few of them, so more than a fifth of the file is no trace; that bounds the memory to 20 times the file.
_MOST_BRACKETS = 0.2
_WHAT_TO_DO = "save it again with trace.save(...)"


def written(data: TraceData, listing: Listing, format: str, with_source: bool) -> str | bytes:
    """Returns the report of a trace in a format. The caller has paused recording."""
    names = [name for name, _ in formats()]
    if format not in names:
        raise ValueError(f"format: no report {shown(format)}; there are {', '.join(map(repr, names))}")
    text = listing.written(data, format, with_source=with_source)
    if format == "pprof":
        import gzip

        return gzip.compress(text, mtime=0)  # type: ignore[arg-type]
    return text


def format_of(path: str) -> str:
    """Returns the format that a file's suffix stands for; the longest suffix wins."""
    known = sorted(formats(), key=lambda entry: -len(entry[1]))
    for name, suffix in known:
        if path.endswith(suffix):
            return name
    suffixes = ", ".join(sorted(suffix for _, suffix in known))
    raise ValueError(f"path must end in one of {suffixes}, not {shown(path)}")


def save(data: TraceData, listing: Listing, path: str | os.PathLike[str], with_source: bool) -> None:
    """Writes a trace to a file. The caller has paused recording."""
    name = os.fsdecode(path)
    write(name, written(data, listing, format_of(name), with_source))


def write(path: str, content: str | bytes) -> None:
    """Writes a file; if that fails, one in the folder of temporary files, and says so."""
    raw = content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
    try:
        with open(path, "wb") as file:
            file.write(raw)
    except OSError as error:
        import tempfile

        base = os.path.basename(path) or "trace"
        with tempfile.NamedTemporaryFile("wb", delete=False, prefix="malloc_tracer-", suffix="-" + base) as kept:
            kept.write(raw)
        raise MallocTracerError(
            f"cannot write {path}: {error.strerror or error}; nothing is lost, it is in {kept.name}"
        ) from error


def load(path: str | os.PathLike[str]) -> Trace:
    """Reads a trace that `trace.save("....json")` has written.

    Raises:
        MallocTracerError: The file cannot be read, is not a trace, is cut off, or comes from a newer version; the
            message names the file and the place.

    Example:
        >>> malloc_tracer.load("before.json").print()
    """
    pause()
    try:
        name = os.fsdecode(path)
        try:
            with open(name, "rb") as file:
                raw = file.read()
        except OSError as error:
            raise MallocTracerError(f"cannot read {name}: {error.strerror or error}") from error
        document = _parsed(name, raw)
        try:
            return Trace(trace_of_document(document), _listing(document))
        except ValueError as error:
            raise MallocTracerError(f"{name} is not a whole trace: {error}; {_WHAT_TO_DO}") from error
    finally:
        resume()


def _parsed(name: str, raw: bytes) -> dict[str, Any]:
    import json

    if (raw.count(b"[") + raw.count(b"{")) > _MOST_BRACKETS * len(raw) + 100:
        raise MallocTracerError(f"{name} is not a trace: it is mostly brackets")
    try:
        document = json.loads(raw, parse_float=_no_number, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno} (character {error.pos})"
        what = "is cut off or broken" if raw.lstrip().startswith(b'{"format":"' + FORMAT.encode()) else "is not a trace"
        raise MallocTracerError(f"{name} {what}: {error.msg} at {where}; {_WHAT_TO_DO}") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, a number with thousands of digits, deep nesting
        raise MallocTracerError(f"{name} is not a trace: {error}; {_WHAT_TO_DO}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise MallocTracerError(f'{name} is not a trace: it lacks "format": {FORMAT!r}; {_WHAT_TO_DO}')
    version = document.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise MallocTracerError(f"{name} is not a whole trace: version: must be a whole number; {_WHAT_TO_DO}")
    if version > FORMAT_VERSION:
        raise MallocTracerError(
            f"{name} has version {version} of the format, and this malloc_tracer reads up to {FORMAT_VERSION}: "
            "install a newer malloc_tracer"
        )
    return document


def _no_number(text: str) -> None:
    raise ValueError(f"{text[:40]} is not a whole number")


def _listing(document: dict[str, Any]) -> Listing:
    sources: dict[str, list[str]] = {}
    for file, lines in _typed(document, "sources", dict).items():
        sources[file] = _texts(lines, f"sources.{file}")
    facts = _typed(document, "listing", dict)
    mode = _typed(facts, "related", str, "listing.").upper()
    if mode not in RelatedTracesOutputMode.__members__:
        raise ValueError("listing.related: must be none, for_each_file or in_descending_order")
    stretches = [
        Stretch(
            _typed(part, "file", str, "listing.sections."),
            _line_number(part, "first_line"),
            _line_number(part, "last_line"),
            _texts(part.get("text", []), "listing.sections.text"),
            _typed(part, "note", str, "listing.sections."),
        )
        for part in _typed(facts, "sections", list, "listing.")
    ]
    return Listing(
        listed(stretches, _typed(facts, "note", str, "listing.")),
        RelatedTracesOutputMode[mode],
        _texts(facts.get("include"), "listing.include"),
        _texts(facts.get("exclude"), "listing.exclude"),
        kept(sources),
    )


def listed(stretches: list[Stretch], note: str) -> Subject:
    """Returns the subject that shows these stretches, whatever the trace."""
    return lambda _: (stretches, note)


def kept(sources: dict[str, list[str]]) -> Callable[[str], Sequence[str]]:
    """Returns the function that gives the lines of a file from `sources`, [] if it has none."""
    return lambda file: sources.get(file, [])


def _typed(table: Any, key: str, kind: type[Any], before: str = "") -> Any:
    value = table.get(key) if isinstance(table, dict) else None
    if not isinstance(value, kind):
        what = "an object" if kind is dict else "an array" if kind is list else "text"
        raise ValueError(f"{before}{key}: must be {what}")
    return value


def _texts(value: Any, place: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{place}: must be an array of texts")
    return value


def _line_number(part: dict[str, Any], key: str) -> int:
    value = part.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
        raise ValueError(f"listing.sections.{key}: must be a line number")
    return value
