"""The end of a run: the report is written after the program's last exit handler."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys

from .._engine import pause
from .._errors import MallocTracerError
from . import _results
from ._live import LiveLine
from ._messages import tell
from ._recorder import added_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ._children import Children
    from ._recorder import Recorder


class Exit:
    """What is done at the end of the process.

    Args:
        recorder: Whose results are reported.
        arguments: The options that say how.
        children: Whose results join, or None.

    Attributes:
        is_interrupted: Whether the program has ended with a KeyboardInterrupt.
    """

    def __init__(self, recorder: Recorder, arguments: argparse.Namespace, children: Children | None) -> None:
        self._recorder = recorder
        self._arguments = arguments
        self._stream = sys.stderr  # the program may put something else there
        self._pid = os.getpid()
        self._children = children
        self._live: LiveLine | None = None
        self.is_interrupted = False

    def begin(self) -> None:
        """Registers the report: the first exit handler, so the last that is called."""
        atexit.register(self._end)
        if self._recorder.whole is not None:
            # Before it is called, for which the interpreter allocates.
            atexit.register(self._recorder.whole.leave)
        if self._stream is not None and self._stream.isatty():
            self._live = LiveLine(self._recorder, self._stream)

    def _end(self) -> None:
        pause()
        if os.getpid() != self._pid:  # a forked child, which has its parent's exit handlers
            if self._children is not None:
                self._children.save()
            return
        if self._live is not None:
            self._live.stop()
        recorder = self._recorder
        results = recorder.results()
        if self._children is not None:
            results = added_up(results + self._children.collect())
        called = {result.place[0] for result in results}
        missing = [
            f"-f {target.text}: the program never made such a function"
            for target in recorder.targets
            if target.text not in recorder.found and not any(map(target.matches, called))
        ]
        try:
            _results.write(results, missing, self._arguments, self._stream)
        except MallocTracerError as error:
            tell(str(error), stream=self._stream)
        if self.is_interrupted:
            _remember_interrupt()


def _remember_interrupt() -> None:
    """Makes Python die of SIGINT after all: any `eval` since (there is one in `import inspect`) made it forget to."""
    with contextlib.suppress(KeyboardInterrupt):
        exec("raise KeyboardInterrupt", {})
