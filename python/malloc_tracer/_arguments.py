"""Checks of our own arguments: each error names the argument and says what to pass instead."""

from __future__ import annotations

from ._listing import RelatedTracesOutputMode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any

COLUMNS = ("live", "peak", "allocated", "count", "temporary", "freed", "total")


def shown(value: object) -> str:
    """Returns a short description of a wrong value; never fails, whatever its `__repr__` does."""
    try:
        text = repr(value)
    except Exception:
        text = "..."
    return f"{text if len(text) <= 60 else text[:57] + '...'} ({type(value).__name__})"


def check_mode(argument: str, mode: object) -> RelatedTracesOutputMode:
    """Returns `mode` if it is a RelatedTracesOutputMode."""
    if not isinstance(mode, RelatedTracesOutputMode):
        names = ", ".join(member.name for member in RelatedTracesOutputMode)
        raise ValueError(
            f"{argument}: unknown mode {shown(mode)}; pass a member of malloc_tracer.RelatedTracesOutputMode: {names}"
        )
    return mode


def check_patterns(argument: str, patterns: object) -> tuple[str, ...]:
    """Returns the fnmatch patterns as a tuple; one string is one pattern, None is none."""
    if patterns is None:
        return ()
    if isinstance(patterns, str):
        return (patterns,)
    wrong = f"{argument} must be None or an iterable of fnmatch patterns such as ['*/numpy/*']"
    try:
        found: tuple[object, ...] = tuple(patterns)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{wrong}, not {shown(patterns)}") from None
    names = tuple(pattern for pattern in found if isinstance(pattern, str))
    if len(names) < len(found):
        odd = next(pattern for pattern in found if not isinstance(pattern, str))
        raise TypeError(f"{wrong}; {shown(odd)} in it is not a string")
    return names


def check_threads(threads: object) -> bool:
    """Returns whether all threads are recorded."""
    if threads not in ("all", "current"):
        raise ValueError(f"threads must be 'all' or 'current', not {shown(threads)}")
    return threads == "all"


def check_columns(columns: object) -> tuple[str, ...]:
    """Returns the names of the columns; None is 1.7's one column `Size`."""
    if columns is None:
        return ()
    names = ", ".join(repr(name) for name in COLUMNS)
    if isinstance(columns, str) or not hasattr(columns, "__iter__"):
        raise TypeError(f"columns must be None or a sequence of names out of {names}, not {shown(columns)}")
    found = tuple(columns)
    for name in found:
        if name not in COLUMNS:
            raise ValueError(f"columns: no column {shown(name)}; there are {names}")
    return found


def check_file(file: object) -> None:
    """Checks that a listing can be written to `file`."""
    if file is not None and not callable(getattr(file, "write", None)):
        raise TypeError(f"file must be None (sys.stdout) or an object with a write method, not {shown(file)}")


def check_name(argument: str, name: object) -> str:
    """Returns `name` if it is a string."""
    if not isinstance(name, str):
        raise TypeError(f"{argument} must be a string, not {shown(name)}")
    return name


def check_setup(argument: str, setup: object) -> CodeType | None:
    """Returns the compiled setup, or None for the default 'pass'. A `SyntaxError` goes on as it is."""
    if not isinstance(setup, str):
        raise TypeError(f"{argument} must be a string of Python code such as 'import math', not {shown(setup)}")
    return None if setup == "pass" else compile(setup, f"<{argument}>", "exec", dont_inherit=True)


def check_target_arguments(args: object, target_args: object) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Returns the positional and the named arguments for the target."""
    from collections.abc import Mapping, Sequence

    if isinstance(args, (str, bytes)) or not isinstance(args, Sequence):
        raise TypeError(f"args must be a tuple of positional arguments such as (1, 2), not {shown(args)}")
    if target_args is None:
        return tuple(args), {}
    if not isinstance(target_args, Mapping):
        raise TypeError(f"target_args must be a dict of argument names and values, not {shown(target_args)}")
    for name in target_args:
        if not isinstance(name, str):
            raise TypeError(f"target_args: the name {shown(name)} is not a string; args=(...) takes positional values")
    return tuple(args), dict(target_args)
