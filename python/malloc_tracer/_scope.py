"""`Scope`: any block of a program."""

from __future__ import annotations

import sys

from . import _joined
from ._arguments import check_name, check_threads
from ._engine import ScopeHandle, keep_frame, pause, resume
from ._errors import MallocTracerError
from ._listing import Listing
from ._recording import build
from ._subjects import block_subject
from ._trace import Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, TracebackType

    from typing_extensions import Self


class Scope:
    """Records what a with block allocates. Scopes nest and overlap, any number, in any threads; each is used once.

    With `MALLOC_TRACER=0` in the environment nothing is recorded and the trace is empty.

    Args:
        name: The name of its trace.
        threads: "all", or "current" to ignore what other threads allocate meanwhile.

    Raises:
        TypeError: `name` is not a string.
        ValueError: `threads` is something else.

    Example:
        >>> with malloc_tracer.Scope("load") as scope:
        ...     rows = bytearray(1000)
        >>> scope.trace.live_bytes
        1057
    """

    __slots__ = ("__weakref__", "_code", "_handle", "_has_ended", "_line", "_name", "_trace")

    def __init__(self, name: str = "", threads: str = "all") -> None:
        pause()
        try:
            self._name = check_name("name", name)
            self._handle = ScopeHandle(name, check_threads(threads))
            self._code: CodeType | None = None
            self._line = 0
            self._has_ended = False
            self._trace: Trace | None = None
        finally:
            resume()

    def __enter__(self) -> Self:
        if _joined.is_off:
            return self
        pause()
        try:
            if self._code is not None:
                raise MallocTracerError(f"scope {self._name!r} was used before: make a new Scope for every with block")
            frame = sys._getframe(1)
            self._code = frame.f_code
            self._line = frame.f_lineno
        finally:
            resume()
        self._handle.enter(1)
        return self

    # Three parameters, not *args: a tuple would be an allocation inside the scope.
    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if _joined.is_off:
            return
        self._handle.leave()
        self._has_ended = True
        if _joined.on_scope is not None:
            pause()
            try:
                _joined.on_scope(self)
            finally:
                resume()

    @property
    def trace(self) -> Trace:
        """What the block allocated; inside the block, what it has allocated so far."""
        pause()
        try:
            if self._trace is not None:
                return self._trace
            trace = Trace(build(self._handle), Listing(block_subject(self._code, self._line)))
            if self._has_ended:
                self._trace = trace
            return trace
        finally:
            resume()

    def __repr__(self) -> str:
        state = "has ended" if self._has_ended else "not entered" if self._code is None else "open"
        return f"<Scope {self._name!r}: {state}>"


for _method in (Scope.__init__, Scope.__enter__, Scope.__exit__, Scope.trace.fget, Scope.__repr__):  # type: ignore[attr-defined]
    keep_frame(_method)
