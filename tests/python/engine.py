"""Scopes straight from the engine, for the tests of what it counts."""

from __future__ import annotations


import platform
from collections.abc import Callable
from typing import Any

from malloc_tracer import _engine


def result_of(handle: _engine.ScopeHandle) -> _engine.TraceData:
    return handle.peek(platform.python_version(), [], {})


def trace_call(function: Callable[..., Any], *args: Any, all_threads: bool = True) -> tuple[_engine.TraceData, Any]:
    """The activations of a Python function during one call, and what it returned."""
    handle = _engine.ScopeHandle(function.__name__, all_threads)
    result = handle.run(function, args, None, function)
    return result_of(handle), result


def trace_block(body: Callable[[], Any], all_threads: bool = True) -> tuple[_engine.TraceData, Any]:
    """The whole call of `body`, its caller's frame excluded."""
    handle = _engine.ScopeHandle("block", all_threads)
    result = handle.run(body, (), None, None)
    return result_of(handle), result


def own_lines(data: _engine.TraceData, function: Callable[..., Any]) -> dict[int, _engine.Line]:
    """The lines of a function's file that hold something, by their distance from its `def`."""
    code = function.__code__
    return {line.number - code.co_firstlineno: line for line in data.lines if line.file == code.co_filename}
