"""Setup code: names that the target's globals see only while it is traced."""

from __future__ import annotations

import builtins

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

_MISSING = object()


class Setup:
    """The namespace that the setup code of one tracer runs in.

    It holds only what that code defines. Other names are looked up in the target's globals, then in builtins.
    """

    __slots__ = ("_globals", "_ignored", "_names")

    def __init__(self, target_globals: dict[str, Any] | None) -> None:
        self._globals = target_globals
        self._names: dict[str, Any] = {"__name__": "__main__"}
        if target_globals is not None:
            # What relative imports look at.
            kept = ("__name__", "__package__", "__spec__", "__loader__", "__path__")
            self._names = {name: target_globals[name] for name in kept if name in target_globals}
        self._ignored = {*self._names, "__builtins__"}

    def run(self, code: CodeType) -> None:
        """Runs setup code; what it raises goes on as it is."""
        self._names["__builtins__"] = {**vars(builtins), **(self._globals or {})}
        exec(code, self._names)

    def inject(self) -> Injection:
        """Puts the names into the target's globals; the result takes them out again."""
        names = {name: value for name, value in self._names.items() if name not in self._ignored}
        return Injection(self._globals if names else None, names)


class Injection:
    """Names put into a function's globals until `restore`."""

    __slots__ = ("_before", "_globals")

    def __init__(self, target_globals: dict[str, Any] | None, names: dict[str, Any]) -> None:
        self._globals = target_globals
        self._before: dict[str, Any] = {}
        if target_globals is None:
            return
        for name, value in names.items():
            before = target_globals.get(name, _MISSING)
            # A name that is the same already stays the target's own: what it writes there is kept.
            if before is not value:
                self._before[name] = before
                target_globals[name] = value

    def restore(self) -> None:
        """Gives every name the value it had, and removes those that were not there."""
        for name, before in self._before.items():
            assert self._globals is not None
            if before is _MISSING:
                self._globals.pop(name, None)
            else:
                self._globals[name] = before
