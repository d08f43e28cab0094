"""Between the engine and the front end: building a result without a trace of ours in an outer scope's numbers.

Every entry point of the package calls `pause` first and `resume` last. They are called directly, never through a
context manager: binding `__exit__` would be an allocation before the pause.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._engine import ScopeHandle, TraceData

_prefixes: list[str] = []


def build(handle: ScopeHandle) -> TraceData:
    """Builds what `handle` has recorded so far. The caller has paused recording."""
    return handle.peek(sys.version.split()[0], library_prefixes(), _thread_names(), command_line())


def command_line() -> list[str]:
    """Returns the process's command line; what Python itself took of it is not known before 3.10."""
    return getattr(sys, "orig_argv", sys.argv)


def library_prefixes() -> list[str]:
    """Returns the beginnings of the file names that count as `library`: standard library, site-packages, ourselves."""
    if not _prefixes:
        import sysconfig

        paths = sysconfig.get_paths()
        folders = {paths[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")}
        folders.update(path for path in sys.path if path.endswith(("site-packages", "dist-packages")))
        folders.add(os.path.dirname(os.path.abspath(__file__)))
        # A folder is "/x/", so that "/x2/..." does not match. Frozen modules are named "<frozen importlib._bootstrap>".
        _prefixes.extend(sorted(os.path.join(folder, "") for folder in folders))
        _prefixes.append("<frozen ")
    return _prefixes


def _thread_names() -> dict[int, str]:
    threading = sys.modules.get("threading")
    if threading is None:
        return {}
    # `_dangling` also knows threads that have ended, as long as their Thread object lives.
    threads = [*getattr(threading, "_dangling", ()), *threading.enumerate()]
    return {thread.native_id: thread.name for thread in threads if thread.native_id is not None}
