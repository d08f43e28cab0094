"""`Tracer` and `trace`: one call of a target, listed line by line."""

from __future__ import annotations

from ._arguments import check_setup
from ._engine import leave_traceback, pause, resume
from ._listing import RelatedTracesOutputMode
from ._run import Run, finish, frameless
from ._setup import Setup
from ._targets import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from ._trace import Trace


class Tracer:
    """Traces calls of one target and lists its source lines with what they allocated.

    The very object is called: nothing is compiled again, no decorator runs again, no default is evaluated again.

    Args:
        target: Anything callable, or a property, cached_property, staticmethod or classmethod object. The getter of a
            property takes `args=(instance,)`; a bare classmethod object is called on the class that it belongs to,
            unless `args` or `target_args` begin with another.
        enable_auto_resolve: Accepted for malloc_tracer 1.7; has no effect.
        setup: Code to run now. The target's globals see the names it defines, but only while the target is traced.

    Raises:
        TypeError: `target` is not callable, or `setup` is not a string.
        SyntaxError: `setup` does not compile.

    Attributes:
        last_trace: The trace of the last call, also of one that raised; None before the first.

    Example:
        >>> tracer = malloc_tracer.Tracer(func)
        >>> trace = tracer.trace(target_args=dict(x=1, y=2, z=3))
    """

    def __init__(
        self, target: Callable[..., Any] | object, enable_auto_resolve: bool = True, setup: str = "pass"
    ) -> None:
        pause()
        try:
            self._prepare(target, "setup", setup)
        finally:
            resume()

    def _prepare(self, target: object, setup_argument: str, setup: object) -> None:
        self.last_trace: Trace | None = None
        self._target = Target(target)
        self._setup = Setup(self._target.globals)
        code = check_setup(setup_argument, setup)
        if code is not None:
            self._setup.run(code)

    @frameless
    def trace(
        self,
        target_args: Mapping[str, Any] | None = None,
        setup: str = "pass",
        related_traces_output_mode: RelatedTracesOutputMode = RelatedTracesOutputMode.NONE,
        include_patterns: Iterable[str] | None = None,
        exclude_patterns: Iterable[str] | None = None,
        *,
        args: Sequence[Any] = (),
        file: Any = None,
        quiet: bool = False,
        threads: str = "all",
    ) -> Trace:
        """Calls the target, prints the listing and returns the trace.

        A coroutine function is run to completion with `asyncio.run`; a generator is exhausted, its items dropped one by
        one. What the target raises goes on untouched, after the listing; the trace is then in `last_trace`.

        Args:
            target_args: Arguments by name; positional-only parameters can be named too.
            setup: Code to run before the target, not counted; see `Tracer`.
            related_traces_output_mode: Which lines outside the target are listed too.
            include_patterns: fnmatch patterns of the file names that related traces show; default all.
            exclude_patterns: fnmatch patterns of the file names that they do not show.
            args: Positional arguments.
            file: Where the listing goes; default `sys.stdout`.
            quiet: Print nothing.
            threads: "all", or "current" to ignore what other threads allocate meanwhile.

        Raises:
            TypeError, ValueError: An argument is wrong, missing or unknown; raised before the target runs.
            RuntimeError: A coroutine function in a running event loop: use `trace_async`.

        Example:
            >>> trace = tracer.trace(args=(1, 2, 3), quiet=True)
            >>> trace.line(func, 8).self.live_bytes
            8096
        """
        pause()
        try:
            return Run(
                self,
                target_args,
                setup,
                related_traces_output_mode,
                include_patterns,
                exclude_patterns,
                args=args,
                file=file,
                quiet=quiet,
                threads=threads,
            ).plan()  # type: ignore[return-value]  # what FramelessMethod carries out
        finally:
            resume()

    async def trace_async(
        self,
        target_args: Mapping[str, Any] | None = None,
        setup: str = "pass",
        related_traces_output_mode: RelatedTracesOutputMode = RelatedTracesOutputMode.NONE,
        include_patterns: Iterable[str] | None = None,
        exclude_patterns: Iterable[str] | None = None,
        *,
        args: Sequence[Any] = (),
        file: Any = None,
        quiet: bool = False,
        threads: str = "all",
    ) -> Trace:
        """Does what `trace` does in a running event loop: awaits the coroutine or exhausts the async generator.

        What other tasks allocate meanwhile is not counted. Arguments and errors are those of `trace`.

        Example:
            >>> trace = await tracer.trace_async(args=(url,), quiet=True)
        """
        pause()
        try:
            run = Run(
                self,
                target_args,
                setup,
                related_traces_output_mode,
                include_patterns,
                exclude_patterns,
                args=args,
                file=file,
                quiet=quiet,
                threads=threads,
                in_running_loop=True,
            )
        finally:
            resume()
        try:
            result = await run.carry_out()
        except BaseException as error:
            finish(run, None, error)
            leave_traceback()
            raise
        return finish(run, result, None)


@frameless
def trace(
    target: Callable[..., Any] | object,
    *,
    target_args: Mapping[str, Any] | None = None,
    enable_auto_resolve: bool = True,
    ctime_setup: str = "pass",
    rtime_setup: str = "pass",
    related_traces_output_mode: RelatedTracesOutputMode = RelatedTracesOutputMode.NONE,
    include_patterns: Iterable[str] | None = None,
    exclude_patterns: Iterable[str] | None = None,
    args: Sequence[Any] = (),
    file: Any = None,
    quiet: bool = False,
    threads: str = "all",
) -> Trace:
    """Calls `target` once, prints its listing and returns the trace: `Tracer(target).trace()` in one step.

    Args:
        target: Anything callable, or a property, cached_property, staticmethod or classmethod object.
        target_args: Arguments by name; positional-only parameters can be named too.
        enable_auto_resolve: Accepted for malloc_tracer 1.7; has no effect.
        ctime_setup: Code to run before the target, not counted; see `Tracer`.
        rtime_setup: The same, run after `ctime_setup`.
        related_traces_output_mode: Which lines outside the target are listed too.
        include_patterns: fnmatch patterns of the file names that related traces show; default all.
        exclude_patterns: fnmatch patterns of the file names that they do not show.
        args: Positional arguments.
        file: Where the listing goes; default `sys.stdout`.
        quiet: Print nothing.
        threads: "all", or "current" to ignore what other threads allocate meanwhile.

    Raises:
        TypeError, ValueError, RuntimeError, SyntaxError: As in `Tracer` and `Tracer.trace`.

    Example:
        >>> trace = malloc_tracer.trace(sorted, args=([3, 1, 2],), quiet=True)
        >>> trace.result
        [1, 2, 3]
    """
    pause()
    try:
        tracer = Tracer.__new__(Tracer)
        tracer._prepare(target, "ctime_setup", ctime_setup)
        return Run(
            tracer,
            target_args,
            rtime_setup,
            related_traces_output_mode,
            include_patterns,
            exclude_patterns,
            args=args,
            file=file,
            quiet=quiet,
            threads=threads,
            setup_argument="rtime_setup",
        ).plan()  # type: ignore[return-value]  # what FramelessMethod carries out
    finally:
        resume()
