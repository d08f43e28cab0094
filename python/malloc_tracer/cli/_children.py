"""`--children`: Python children record themselves and leave their results in a folder, where the parent adds them up.

A forked child goes on with new scopes. One that is started by subprocess or spawn finds `_bootstrap/sitecustomize.py`
by its PYTHONPATH and what to record in the variable MALLOC_TRACER_RUN. A child saves its results when it exits,
however: at its exit handlers, in `os._exit` (multiprocessing's way), or by SIGTERM (a pool's).
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import sys
import tempfile
import time

from .. import load
from .._engine import pause, resume
from .._recording import command_line
from ._recorder import Recorder, Result
from ._wanted import Target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FrameType
    from typing import Any

    from ._program import Program

_VARIABLE = "MALLOC_TRACER_RUN"
_BOOTSTRAP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_bootstrap")
# Processes of multiprocessing's own, which outlive the program.
_TRACKER = "from multiprocessing.resource_tracker import main"
_SERVER = "from multiprocessing.forkserver import main"


class Children:
    """The children of this process, and what it must do to be a good child itself.

    Args:
        recorder: What the process records.
        folder: Where results are left.
    """

    def __init__(self, recorder: Recorder, folder: str) -> None:
        self._recorder = recorder
        self._folder = folder
        self._has_results = True
        self._is_saving = False
        self._signal = 0  # that came while the results were being saved
        os.register_at_fork(after_in_child=self._after_fork)

    def collect(self) -> list[Result]:
        """Returns what the children have recorded, and removes the folder."""
        results: list[Result] = []
        for name in sorted(os.listdir(self._folder)):
            if name.endswith(".results"):
                with open(os.path.join(self._folder, name), encoding="utf-8") as file:
                    for kind, place, calls, trace in json.load(file):
                        results.append(Result(kind, tuple(place), calls, load(os.path.join(self._folder, trace))))
        shutil.rmtree(self._folder, ignore_errors=True)
        return results

    def be_child(self, has_results: bool = True) -> None:
        """Saves the results at the end of this process, whatever its end is."""
        self._has_results = has_results
        atexit.register(self.save)
        self._save_before_exit()

    def save(self) -> None:
        """Leaves the results in the folder, once."""
        if not self._has_results or not os.path.isdir(self._folder):
            return
        self._has_results = False
        self._is_saving = True
        try:
            self._write_results()
        finally:
            self._is_saving = False
            if self._signal:
                _die_of(self._signal)

    def _write_results(self) -> None:
        pause()
        # Process ids are used again.
        base = os.path.join(self._folder, f"{os.getpid()}-{time.monotonic_ns()}")
        entries = []
        for number, result in enumerate(self._recorder.results()):
            trace = f"{base}-{number}.json"
            result.trace.save(trace)
            entries.append((result.kind, result.place, result.calls, os.path.basename(trace)))
        with open(base + ".part", "w", encoding="utf-8") as file:
            json.dump(entries, file)
        os.rename(base + ".part", base + ".results")  # all or nothing: a child may be killed

    def _after_fork(self) -> None:
        pause()
        try:
            self._has_results = True
            self._save_before_exit()
            self._recorder.begin_again()
        finally:
            resume()
        self._recorder.enter_whole()

    def _save_before_exit(self) -> None:
        exit = getattr(os._exit, "__wrapped__", os._exit)

        def saving_exit(status: int) -> None:
            try:
                self.save()
            finally:
                exit(status)

        saving_exit.__wrapped__ = exit  # type: ignore[attr-defined]
        os._exit = saving_exit  # type: ignore[assignment]
        try:
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, self._on_terminate)
        except ValueError:
            pass  # not the main thread's interpreter: SIGTERM ends the child without its results

    def _on_terminate(self, number: int, _: FrameType | None) -> None:
        self._signal = number
        if self._is_saving:
            return  # a pool ends workers that are about to exit anyway: first the results, then this
        try:
            self.save()
        finally:
            _die_of(number)


def _die_of(number: int) -> None:
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def follow(recorder: Recorder, program: Program, threads: str) -> Children:
    """Makes this process's children record themselves."""
    folder = tempfile.mkdtemp(prefix="malloc_tracer-")
    # A spawned child has the program's file under another module name.
    texts = [target.in_child(program) for target in recorder.targets]
    os.environ[_VARIABLE] = json.dumps({"folder": folder, "targets": texts, "threads": threads, "file": recorder.file})
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_BOOTSTRAP, os.environ.get("PYTHONPATH")]))
    return Children(recorder, folder)


def start() -> None:
    """Records this process, a child, from here to its end."""
    settings: dict[str, Any] = json.loads(os.environ.get(_VARIABLE, "{}"))
    command = " ".join(command_line())
    if not settings or _TRACKER in command:
        return
    pause()
    try:
        targets = [Target(text) for text in settings["targets"]]
        recorder = Recorder(targets, settings["threads"] == "all", settings["file"])
        Children(recorder, settings["folder"]).be_child(has_results=_SERVER not in command)
        if targets:
            _await_main(recorder)
    finally:
        resume()
    recorder.enter_whole()


def _await_main(recorder: Recorder) -> None:
    """Sees the code of the child's main module when it begins; no finder is asked for that."""
    import runpy

    details: Any = runpy
    original = details._get_code_from_file

    # multiprocessing runs the parent's main module in this way.
    def code_from_file(*args: Any) -> Any:
        found = original(*args)
        recorder.see_code("__main__", found[0] if isinstance(found, tuple) else found)
        return found

    details._get_code_from_file = code_from_file

    def on_call(frame: FrameType, event: str, _: Any) -> None:
        code: CodeType = frame.f_code
        if event == "call" and code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__":
            sys.setprofile(None)
            recorder.see_code("__main__", code)

    sys.setprofile(on_call)
