"""`@profile`: every call of a function, added up into one trace."""

from __future__ import annotations

from types import CodeType, FunctionType

from . import _joined
from ._arguments import check_name, check_threads, shown
from ._engine import ScopeHandle, pause, resume
from ._listing import Listing
from ._recording import build
from ._subjects import function_subject
from ._targets import listed_function
from ._trace import Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from functools import cached_property
    from typing import Any, ParamSpec, Protocol, TypeVar, overload

    from typing_extensions import Self

    P = ParamSpec("P")
    R = TypeVar("R", covariant=True)
    D = TypeVar("D", bound="staticmethod[..., Any] | classmethod[Any, ..., Any] | property | cached_property[Any]")

    class Profiled(Protocol[P, R]):
        """What type checkers see of a decorated function."""

        profile: Profile

        @property
        def __wrapped__(self) -> Callable[P, R]: ...
        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R: ...
        @overload
        def __get__(self, instance: None, owner: type, /) -> Self: ...
        @overload
        def __get__(self, instance: object, owner: type | None = None, /) -> Callable[..., R]: ...

    class Decorator(Protocol):
        """`profile` as type checkers see it; with options it returns itself."""

        @overload
        def __call__(self, function: D, /) -> D: ...  # type: ignore[overload-overlap]
        @overload
        def __call__(self, function: Callable[P, R], /) -> Profiled[P, R]: ...
        @overload
        def __call__(self, *, threads: str = "current", name: str | None = None) -> Decorator: ...


def _typed(function: Any) -> Decorator:
    return function  # type: ignore[no-any-return]


class Profile:
    """What is recorded of a profiled function: `function.profile`."""

    __slots__ = ("__weakref__", "_all_threads", "_function", "_handle", "_name")

    def __init__(self, function: FunctionType, name: str | None, all_threads: bool) -> None:
        self._function = function
        self._name = function.__qualname__ if name is None else name
        self._all_threads = all_threads
        self._open()
        if _joined.on_profile is not None:
            _joined.on_profile(self)

    def _open(self) -> None:
        """Records from nothing on; also in a forked child, where the parent's scope is inert."""
        self._handle = ScopeHandle(self._name, self._all_threads)
        self._handle.attach(self._function)

    def trace(self) -> Trace:
        """Returns the trace of all calls so far; a running call counts as far as it has come.

        Example:
            >>> f.profile.trace().print(columns=("live", "peak", "allocated"))
        """
        pause()
        try:
            return Trace(build(self._handle), Listing(function_subject(self._function)))
        finally:
            resume()

    def reset(self) -> None:
        """Forgets all calls so far.

        Example:
            >>> f.profile.reset()
            >>> f.profile.trace().allocated_count
            0
        """
        pause()
        try:
            self._handle.reset()
        finally:
            resume()

    def __repr__(self) -> str:
        return f"<Profile {self._name!r}>"


@_typed
def profile(function: Any = None, /, *, threads: str = "current", name: str | None = None) -> Any:
    """Decorator: adds up what every call of a function allocates into one trace, `function.profile.trace()`.

    The decorated function is the same code without a wrapper around it, so generators, coroutines and tracebacks stay
    what they are; `__wrapped__` is the original, which is not recorded. On a static method, class method, property or
    cached_property object the function inside is profiled, and `profile` is found there: `Klass.method.profile`,
    `vars(Klass)["value"].fget.profile`. On an object made by another decorator (`lru_cache`, `wraps`) the innermost
    function is profiled. With `MALLOC_TRACER=0` in the environment the function itself is returned, without `profile`.

    Args:
        function: The function.
        threads: "current" counts the calling threads only, "all" also what other threads allocate during the calls.
        name: The trace's name; default the function's qualified name.

    Raises:
        TypeError: `function` is a class, or has no Python code; `name` is not a string.
        ValueError: `threads` is something else.

    Example:
        >>> @malloc_tracer.profile
        ... def f():
        ...     return bytearray(1000)
        >>> for _ in range(3): _ = f()
        >>> f.profile.trace().allocated_count
        9
    """
    pause()
    try:
        all_threads = check_threads(threads)
        if name is not None:
            check_name("name", name)
        if _joined.is_off:
            return _itself if function is None else function
        if function is None:
            return lambda decorated: _profiled_alone(decorated, name, all_threads)
        return _profiled(function, name, all_threads)
    finally:
        resume()


def _itself(function: Any) -> Any:
    return function


def _profiled_alone(target: Any, name: str | None, all_threads: bool) -> Any:
    pause()
    try:
        return _profiled(target, name, all_threads)
    finally:
        resume()


def _profiled(target: Any, name: str | None, all_threads: bool) -> Any:
    from functools import cached_property

    if isinstance(target, (staticmethod, classmethod)):
        return type(target)(_profiled(target.__func__, name, all_threads))
    if isinstance(target, property):
        getter = _profiled(target.fget, name, all_threads)
        return type(target)(getter, target.fset, target.fdel, target.__doc__)
    if isinstance(target, cached_property):
        return type(target)(_profiled(target.func, name, all_threads))
    listed = listed_function(target)
    if listed is None or isinstance(target, type):
        raise TypeError(
            f"profile needs a Python function, not {shown(target)}; trace other objects with malloc_tracer.trace"
        )
    if listed is target:
        decorated = _copied(target)
        decorated.profile = Profile(decorated, name, all_threads)  # type: ignore[attr-defined]
        return decorated
    try:
        target.profile = Profile(listed, name, all_threads)
    except AttributeError:
        raise TypeError(f"profile cannot set an attribute on {shown(target)}; profile the function inside") from None
    return target


def _copied(function: FunctionType) -> FunctionType:
    """Returns a function that is the same but for its code object: the engine watches that one, not the original's."""
    code: CodeType = function.__code__.replace()
    if _joined.on_copy is not None:
        _joined.on_copy(function.__code__, code)
    copy = FunctionType(code, function.__globals__, function.__name__, function.__defaults__, function.__closure__)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__annotations__ = function.__annotations__
    copy.__dict__.update(function.__dict__)
    copy.__doc__ = function.__doc__
    copy.__module__ = function.__module__
    copy.__qualname__ = function.__qualname__
    copy.__wrapped__ = function  # type: ignore[attr-defined]
    if hasattr(function, "__type_params__"):
        copy.__type_params__ = function.__type_params__  # type: ignore[attr-defined]
    return copy
