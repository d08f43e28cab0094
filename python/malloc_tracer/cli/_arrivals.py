"""Tells when a module's code arrives, before it runs: for modules that are named in advance.

A finder in front of `sys.meta_path` lets the others find the module, and asks its loader's `get_code`, for this one
import, to show what it returns. Loader, spec and module are the ones that the program gets without us.
"""

from __future__ import annotations

import os
import sys

from .._engine import leave_traceback, pause, resume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any

    from ._wanted import Target


class Arrivals:
    """The finder.

    Args:
        targets: Whose modules are awaited.
        on_code: Called with a module's name and code before it runs.
        on_module: Called with the name and a module that has been imported.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        on_code: Callable[[str, CodeType], None],
        on_module: Callable[[str, ModuleType], None],
    ) -> None:
        self._names = {target.module for target in targets}
        # A file may be imported under any name, but the last part of the name is the file's, or its folder's.
        files = [target.path for target in targets if target.path]
        self._last_parts = {os.path.splitext(os.path.basename(file))[0] for file in files}
        self._last_parts |= {os.path.basename(os.path.dirname(file)) for file in files}
        self._files = set(files)
        self._on_code = on_code
        self._on_module = on_module

    def install(self) -> None:
        """Awaits them from here on; reports those that have been imported already."""
        for name, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            if name != "__main__" and (name in self._names or (file and os.path.realpath(file) in self._files)):
                self._on_module(name, module)
        sys.meta_path.insert(0, self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Returns what the other finders say."""
        if name not in self._names and name.rpartition(".")[2] not in self._last_parts:
            return None
        finders = [finder for finder in sys.meta_path if finder is not self]
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in finders)), None)
        if spec is not None and spec.loader is not None and (name in self._names or self._is_wanted(spec)):
            self._ask(name, spec.loader)
        return spec

    def _is_wanted(self, spec: ModuleSpec) -> bool:
        pause()  # os.path may be a target itself
        try:
            return spec.origin is not None and os.path.realpath(spec.origin) in self._files
        finally:
            resume()

    def _ask(self, name: str, loader: Any) -> None:
        if not isinstance(loader, type):  # built-in and frozen modules have classes, shared by all, for loaders
            self._ask_for_code(name, loader)
            self._ask_for_module(name, loader)

    def _ask_for_code(self, name: str, loader: Any) -> None:
        original = getattr(loader, "get_code", None)
        if original is None or "get_code" in vars(loader):
            return

        def get_code(wanted: str) -> CodeType | None:
            code: CodeType | None = original(wanted)
            if wanted == name:
                vars(loader).pop("get_code", None)
                if code is not None:
                    self._on_code(name, code)
            return code

        loader.get_code = get_code

    def _ask_for_module(self, name: str, loader: Any) -> None:
        original = getattr(loader, "exec_module", None)
        if original is None or "exec_module" in vars(loader):
            return

        def exec_module(module: ModuleType) -> None:
            if module.__name__ != name:
                return original(module)  # type: ignore[no-any-return]
            vars(loader).pop("exec_module", None)
            try:
                original(module)
            except BaseException:
                leave_traceback()
                raise
            self._on_module(name, module)

        loader.exec_module = exec_module
