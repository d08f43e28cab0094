"""How a call is carried to its end: coroutines run, generators are exhausted.

No frame of ours may stand in a target's traceback. A generator is exhausted by a C function and a coroutine is given to
`asyncio.run` as it is; where Python code of ours cannot be avoided, it takes its own entry out of the traceback.
"""

from __future__ import annotations

import sys

from ._engine import leave_traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from typing import Any

    Call = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


def drive(kind: str, is_direct: bool, call: Call) -> Call:
    """Returns the call that carries `call` to its end.

    Args:
        kind: What it gives: "value", "generator", "coroutine" or "async generator".
        is_direct: Making that object runs no code of the program, so it can be made right now.
        call: What to call, its positional and its keyword arguments.
    """
    if kind == "value":
        return call
    if not is_direct:
        return _complete, (kind, call), {}
    function, args, kwargs = call
    made = function(*args, **kwargs)
    if kind == "generator":
        from collections import deque

        return deque, (made, 0), {}
    import asyncio

    if kind == "async generator":
        return asyncio.run, (exhaust(made),), {}
    return asyncio.run, (made if asyncio.iscoroutine(made) and hasattr(made, "cr_frame") else awaited(made),), {}


def has_running_loop() -> bool:
    """Whether this thread runs an asyncio event loop, in which `asyncio.run` cannot be called."""
    asyncio = sys.modules.get("asyncio.events")
    return asyncio is not None and asyncio._get_running_loop() is not None


async def awaited(awaitable: Awaitable[Any]) -> Any:
    """Awaits what is not a coroutine object itself."""
    try:
        return await awaitable
    except BaseException:
        leave_traceback()
        raise


async def exhaust(items: AsyncIterator[Any]) -> None:
    """Drops the items of an asynchronous iterator one by one."""
    try:
        async for item in items:
            del item
    except BaseException:
        leave_traceback()
        raise


def _complete(kind: str, call: Call) -> Any:
    """Calls through a decorator, which may give something else than what it wraps: that is then the result."""
    function, args, kwargs = call
    try:
        made = function(*args, **kwargs)
        if kind == "generator" and hasattr(made, "__next__"):
            from collections import deque

            deque(made, 0)
            return None
        if kind == "coroutine" and (hasattr(made, "__await__") or hasattr(made, "gi_yieldfrom")):
            import asyncio

            return asyncio.run(awaited(made))
        if kind == "async generator" and hasattr(made, "__anext__"):
            import asyncio

            return asyncio.run(exhaust(made))
        return made
    except BaseException:
        leave_traceback()
        raise
