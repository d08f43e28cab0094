"""One traced call: from checked arguments to the plan the engine carries out, and from its end to the trace."""

from __future__ import annotations

import sys

from ._arguments import check_file, check_mode, check_patterns, check_setup, check_target_arguments, check_threads
from ._drivers import awaited, drive, exhaust, has_running_loop
from ._engine import FramelessMethod, ScopeHandle, leave_traceback, pause, resume
from ._listing import Listing
from ._recording import build
from ._trace import Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from ._drivers import Call
    from ._tracer import Tracer

    F = TypeVar("F", bound=Callable[..., Trace])


class _Nowhere:
    def write(self, text: str) -> None: ...


if sys.version_info < (3, 12):
    # The first print of a process makes print's tuple of argument names. It is the interpreter's, not the target's.
    print(end="", file=_Nowhere())


class Run:
    """One traced call between its preparation and its end: all arguments checked, setup run, names injected."""

    __slots__ = ("_file", "_injection", "_listing", "_quiet", "_tracer", "call", "handle", "target")

    def __init__(
        self,
        tracer: Tracer,
        target_args: object,
        setup: object,
        mode: object,
        include_patterns: object,
        exclude_patterns: object,
        *,
        args: object,
        file: object,
        quiet: object,
        threads: object,
        setup_argument: str = "setup",
        in_running_loop: bool = False,
    ) -> None:
        target = tracer._target
        self.target = target
        self._tracer = tracer
        self._listing = Listing(
            target.subject,
            check_mode("related_traces_output_mode", mode),
            check_patterns("include_patterns", include_patterns),
            check_patterns("exclude_patterns", exclude_patterns),
        )
        check_file(file)
        self._file = file
        self._quiet = bool(quiet)
        self.handle = ScopeHandle(target.name, check_threads(threads))
        self.call: Call = target.bind(*check_target_arguments(args, target_args))
        if not in_running_loop and target.kind in ("coroutine", "async generator") and has_running_loop():
            raise RuntimeError(
                f"{target.name} is asynchronous and an event loop is running: use `await tracer.trace_async(...)`"
            )
        code = check_setup(setup_argument, setup)
        if code is not None:
            tracer._setup.run(code)
        self._injection = tracer._setup.inject()

    def plan(self) -> tuple[Any, ...]:
        """Returns what `FramelessMethod` asks for."""
        try:
            callee, args, kwargs = drive(self.target.kind, self.target.is_direct, self.call)
        except BaseException:
            self._injection.restore()
            raise
        return self.handle, callee, args, kwargs, self.target.listed, self

    async def carry_out(self) -> Any:
        """Calls the target in the running event loop and awaits what it gives."""
        kind, listed = self.target.kind, self.target.listed
        try:
            if listed is None or kind not in ("coroutine", "async generator"):
                callee, args, kwargs = drive(kind, self.target.is_direct, self.call)
                return self.handle.run(callee, args, kwargs, listed)
            self.handle.attach(listed, ends=True)
            function, args, kwargs = self.call
            made = function(*args, **kwargs)
            if kind == "async generator" and hasattr(made, "__anext__"):
                return await exhaust(made)
            return await awaited(made) if hasattr(made, "__await__") else made
        except BaseException:
            leave_traceback()
            raise
        finally:
            self.handle.end()

    def finish(self, result: Any, error: BaseException | None) -> Trace:
        """Builds the trace, lists it and returns it. The caller has paused recording."""
        self._injection.restore()
        if self.target.kind == "generator" and self.target.is_direct:
            result = None
        trace = Trace(build(self.handle), self._listing, result)
        self._tracer.last_trace = trace
        if not self._quiet:
            try:
                trace.print(self._file)
            except Exception as failure:
                if error is None:
                    raise
                # What the target raised matters more than that its listing could not be written.
                sys.stderr.write(f"malloc_tracer: the listing could not be written: {failure}\n")
        return trace


def finish(run: Run, result: Any, error: BaseException | None) -> Trace:
    """Ends a run, unrecorded."""
    pause()
    try:
        return run.finish(result, error)
    finally:
        resume()


def frameless(prepare: F) -> F:
    """Makes a function that returns a plan into one that carries the plan out and returns the trace."""
    return FramelessMethod(prepare, finish)  # type: ignore[arg-type,return-value]
