"""The live line on a terminal during a long run: elapsed, live, peak, events."""

from __future__ import annotations

import _thread
import os
import time

from .._engine import pause
from .._sizes import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._recorder import Recorder

_FIRST_AFTER_S = 2.0
_INTERVAL_S = 0.5
_SHARE = 20  # looking takes a 20th of the time at most: it stops the world, the longer the larger the trace is


class LiveLine:
    """Writes the line from a thread of its own until it is stopped, at the first fork at the latest.

    Python warns of a fork with other threads; so that it does not warn of ours, the thread ends before.
    """

    def __init__(self, recorder: Recorder, stream: Any) -> None:
        self._recorder = recorder
        self._stream = stream
        self._is_stopped = False
        self._began = time.monotonic()
        self._stop = _thread.allocate_lock()
        self._ended = _thread.allocate_lock()
        self._stop.acquire()
        self._ended.acquire()
        os.register_at_fork(before=self.stop)
        # Until 3.12 the thread that imports it first is the main thread to it, which it waits for at the end.
        import threading  # noqa: F401

        # Not a threading.Thread, which the program would see in threading.enumerate().
        _thread.start_new_thread(self._run, ())

    def stop(self) -> None:
        """Takes the line away."""
        if not self._is_stopped:
            self._is_stopped = True
            self._stop.release()
            self._ended.acquire()

    def _run(self) -> None:
        pause()
        wait, was_written = _FIRST_AFTER_S, False
        while not self._stop.acquire(timeout=wait):
            began = time.monotonic()
            self._write(self._line())
            was_written = True
            wait = max(_INTERVAL_S, _SHARE * (time.monotonic() - began))
        if was_written:
            self._write("")
        self._ended.release()

    def _line(self) -> str:
        sums = [data.sum for data in self._recorder.so_far()]
        live, peak = sum(each.live_bytes for each in sums), sum(each.peak_bytes for each in sums)
        events = sum(each.allocated_count + each.freed_count for each in sums)
        elapsed = time.monotonic() - self._began
        return f"malloc-tracer: {elapsed:,.0f} s, live {size(live)}, peak {size(peak)}, {events:,} events"

    def _write(self, line: str) -> None:
        try:
            width = os.get_terminal_size(self._stream.fileno()).columns or 80
            # The cursor goes back, so that what the program prints next stands over the line.
            self._stream.write(f"\r\x1b[K{line[: width - 1]}\r")
            self._stream.flush()
        except (OSError, ValueError):
            pass  # the terminal is gone
