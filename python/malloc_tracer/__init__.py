"""line_profiler for malloc: every allocation of one function, charged to its source line.

Example:
    >>> import malloc_tracer
    >>> malloc_tracer.trace(func, target_args=dict(x=1))
    >>> with malloc_tracer.Scope("load") as scope:
    ...     rows = load()
    >>> scope.trace.print()
"""

from . import _interpreter  # noqa: F401  (first: it refuses interpreters in one sentence)

__version__ = "2.0.0"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._interface import *  # noqa: F403
    from ._interface import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        """Imports the whole interface at the first use of any of it: importing the package costs the engine alone.

        Whole, because a scope may be open at the second use, and an import would be in its numbers.
        """
        if name == "__all__" or not name.startswith("_"):
            from ._interface import by_name

            globals().update(by_name)
            if name in by_name:
                return by_name[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__getattr__("__all__")})


del TYPE_CHECKING
