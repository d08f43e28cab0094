"""Traces as files: saving, loading, adding up."""

from __future__ import annotations

import os

from ._arguments import shown
from ._engine import merge as _merge
from ._engine import pause, read_json, resume
from ._errors import MallocTracerError
from ._saved import SavedListing
from ._trace import Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def load(path: str | os.PathLike[str]) -> Trace:
    """Reads a trace that `Trace.save` has written as JSON.

    Args:
        path: The file.

    Raises:
        MallocTracerError: It cannot be read, is no trace, is damaged, or is of a newer malloc_tracer.

    Example:
        >>> trace.save("load.json")
        >>> malloc_tracer.load("load.json") == trace
        True
    """
    pause()
    try:
        name = os.fspath(path)
        try:
            data = read_json(_content(name))
        except OSError as error:
            raise MallocTracerError(f"{name}: cannot be read: {error.strerror or error}") from error
        except MemoryError:
            raise MallocTracerError(f"{name}: cannot be read: it does not fit in memory") from None
        except MallocTracerError as error:
            raise MallocTracerError(f"{name}: {error}") from None
        return Trace(data, SavedListing())
    finally:
        resume()


def merge(traces: Iterable[Trace]) -> Trace:
    """Adds traces up: of many calls, processes or workers.

    Lines, functions and files are the same by name and number, threads by name and id. `peak_bytes` is the sum of the
    peaks, which the program need not have had at one moment.

    Args:
        traces: At least one; none of them a difference.

    Raises:
        TypeError: One of them is no Trace.
        MallocTracerError: There is none, or one is a difference.

    Example:
        >>> malloc_tracer.merge([trace, trace]).live_bytes == 2 * trace.live_bytes
        True
    """
    pause()
    try:
        found = list(traces)
        for trace in found:
            if not isinstance(trace, Trace):
                raise TypeError(f"merge takes an iterable of Trace objects; {shown(trace)} in it is none")
        return Trace(_merge([trace._complete() for trace in found]), SavedListing())
    finally:
        resume()


def _content(name: str) -> bytes:
    with open(name, "rb") as file:
        head = file.read(4096)
        if head.lstrip()[:1] != b"{":  # before a device or a film is read to its end
            what = "is empty" if not head else "is no trace of malloc_tracer"
            raise MallocTracerError(f'{what}: pass a file that trace.save("x.json") has written')
        return head + file.read()
