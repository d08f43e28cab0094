"""The program that `malloc-tracer run` runs: found, compiled and run as `__main__`, as Python itself does it."""

from __future__ import annotations

import io
import os
import pkgutil
import sys
from types import FunctionType, ModuleType

from .._engine import call_and_pause, resume
from .._recording import command_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, TracebackType
    from typing import Any


_PACKAGE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")


class Program:
    """A script, module or piece of code, ready to run: `sys.argv`, `sys.path` and `__main__` are set.

    Attributes:
        code: Its code object.
        module: The name under which `-m` was given it, or "".
    """

    def __init__(self, code: CodeType, module: str = "", **names: Any) -> None:
        self.code = code
        self.module = module
        self._names = names

    def function(self) -> FunctionType:
        """Makes the new `__main__` and returns the function that runs it."""
        main = ModuleType("__main__")
        if sys.version_info < (3, 14):
            main.__annotations__ = {}
        main.__dict__.update(__builtins__=sys.modules["builtins"], **self._names)
        # Who still holds the old one (pickled functions, other threads) keeps it alive.
        sys.modules["__main__"] = main
        return FunctionType(self.code, main.__dict__)


def of_script(path: str, arguments: Sequence[str]) -> Program:
    """Returns the script, folder or archive at `path`. Exits as Python does if it cannot be opened."""
    from importlib.machinery import SourceFileLoader

    sys.argv[:] = [path, *arguments]
    full = os.path.join(os.getcwd(), path)  # not normalized: Python does not either
    if pkgutil.get_importer(path) is not None:  # a folder or an archive with a __main__
        _set_first_path(full)
        return _of_details(path)
    _set_first_path(os.path.dirname(os.path.realpath(path)))
    try:
        with io.open_code(full) as file:
            code = pkgutil.read_code(file)
            source = b"" if code is not None else _whole(file)
    except OSError as error:
        message = f"{_python()}: can't open file {full!r}: [Errno {error.errno}] {error.strerror}"
        print(message, file=sys.stderr)
        raise SystemExit(2) from None
    if code is None:
        code = compile(source, full, "exec", dont_inherit=True)
    return Program(code, __file__=full, **_cached(None), __loader__=SourceFileLoader("__main__", full))


def _python() -> str:
    return command_line()[0] if hasattr(sys, "orig_argv") else sys.executable  # new in 3.10


def _cached(path: str | None) -> dict[str, Any]:
    return {"__cached__": path} if sys.version_info < (3, 15) else {}  # 3.15 has none


def of_module(name: str, arguments: Sequence[str]) -> Program:
    """Returns a module. Exits as `python -m` does if there is none."""
    sys.argv[:] = ["-m", *arguments]
    _set_first_path(os.getcwd())
    return _of_details(name, name)


def of_code(source: str, arguments: Sequence[str]) -> Program:
    """Returns the code of `-c`."""
    import linecache
    from importlib.machinery import BuiltinImporter

    sys.argv[:] = ["-c", *arguments]
    _set_first_path("")
    linecache.cache["<string>"] = (len(source), None, [line + "\n" for line in source.splitlines()], "<string>")
    return Program(compile(source, "<string>", "exec", dont_inherit=True), __loader__=BuiltinImporter)


def run(function: FunctionType, whole: Any) -> None:
    """Runs the program; `whole`, a ScopeHandle or None, records from its first line on.

    What it raises goes on, and is printed without the frames above it. From its end to the first of its exit handlers
    nothing is recorded: that is ours, or the interpreter's printing of an exception.
    """
    import atexit

    try:
        _call(function, whole)
    except BaseException as error:
        if not isinstance(error, SystemExit):
            print_without_ours(error)
        raise
    finally:
        atexit.register(resume)  # the last to be registered is the first to be called


def print_without_ours(error: BaseException) -> None:
    """Arranges that Python prints an exception without the frames of this package that called the program."""
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename.startswith(_PACKAGE):
        traceback = traceback.tb_next
    hook = sys.excepthook

    # The exception itself goes on, so that Python finds the exit code, or dies of SIGINT, as ever.
    def without_ours(kind: type[BaseException], value: BaseException, _: TracebackType | None) -> None:
        sys.excepthook = hook
        hook(kind, value.with_traceback(traceback), traceback)

    sys.excepthook = without_ours


def _call(function: FunctionType, whole: Any) -> None:
    sys._getframe()  # makes the frame object, to which an exception's frames lead back, before anything is recorded
    if whole is not None:
        whole.enter(0, False)
    call_and_pause(function)


def _whole(file: Any) -> bytes:
    file.seek(0)
    return bytes(file.read())


def _set_first_path(path: str) -> None:
    # In sys.path[0] stands where we were started from, unless Python was told to leave it out.
    if getattr(sys.flags, "safe_path", False):  # new in 3.11
        return
    sys.path[0] = path


def _of_details(path: str, module: str = "") -> Program:
    """Finds code as `python -m` and `python FOLDER` do: their messages and their order of imports are runpy's."""
    import runpy

    details: Any = runpy
    spec: ModuleSpec
    try:
        if module:
            _, spec, code = details._get_module_details(module, details._Error)
        else:
            main = sys.modules["__main__"]
            _, spec, code = details._get_main_module_details(details._Error)
            sys.modules["__main__"] = main
    except details._Error as error:
        print(f"{sys.executable}: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    if module:
        sys.argv[0] = spec.origin or module
    return Program(
        code,
        module,
        __file__=spec.origin,
        **_cached(spec.cached),
        __loader__=spec.loader,
        __package__=spec.parent,
        __spec__=spec,
    )


CALLER = _call.__code__  # of the frame below the program's own
