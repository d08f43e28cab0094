"""The end of a run: the report is written after the program's last exit handler."""

from __future__ import annotations

import atexit
import sys

from .._engine import pause
from .._errors import MallocTracerError
from . import _results

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ._recorder import Recorder


class Exit:
    """What is done at the end of the process.

    Args:
        recorder: Whose results are reported.
        arguments: The options that say how.
    """

    def __init__(self, recorder: Recorder, arguments: argparse.Namespace) -> None:
        self._recorder = recorder
        self._arguments = arguments
        self._stream = sys.stderr  # the program may put something else there

    def begin(self) -> None:
        """Registers the report: the first exit handler, so the last that is called."""
        atexit.register(self._end)

    def _end(self) -> None:
        pause()
        recorder = self._recorder
        results = recorder.results()
        missing = [
            f"-f {target.text}: the program never made such a function"
            for target in recorder.targets
            if target.text not in recorder.found
        ]
        try:
            _results.write(results, missing, self._arguments, self._stream)
        except MallocTracerError as error:
            print(f"malloc-tracer: {error}", file=self._stream)
