"""What stands behind a callable: the function whose source is listed, the thing to call, and what the call gives."""

from __future__ import annotations

from types import FunctionType, MethodType

from ._arguments import shown
from ._binding import Parameters
from ._subjects import class_subject, function_subject, no_source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ._listing import Subject

# Bits of `type.__flags__`: a type of the interpreter or of an extension module has the first or lacks the second.
_IMMUTABLE_TYPE = 1 << 8  # new in 3.10
_HEAP_TYPE = 1 << 9
# Bits of `code.co_flags` (the `inspect` module has them by name, and takes 10 ms to import).
_GENERATOR, _COROUTINE, _ITERABLE_COROUTINE, _ASYNC_GENERATOR = 0x20, 0x80, 0x100, 0x200


class Target:
    """A resolved target.

    Attributes:
        name: Its qualified name.
        listed: The innermost Python function behind it, or None: then the scope is the whole call.
        kind: What the listed function gives when called: "value", "generator", "coroutine" or "async generator".
        is_direct: No code of a decorator runs between the call and the listed function.
        subject: What the listing shows.
        globals: The globals that setup code adds to, or None.
    """

    __slots__ = ("_call", "_owner", "globals", "is_direct", "kind", "listed", "name", "subject")

    def __init__(self, target: object) -> None:
        self.listed, self.is_direct, innermost = _behind(target)
        self._owner: type | None = None
        self._call: Callable[..., Any] = self._callable_form(target)
        self.kind = _kind(self.listed)
        self.name = _name(innermost if self.listed is None else self.listed)
        self.globals: dict[str, Any] | None = None
        self.subject: Subject
        if self.listed is not None:
            self.globals = self.listed.__globals__
            self.subject = function_subject(self.listed)
        elif isinstance(innermost, type):
            functions = class_functions(innermost)
            self.globals = functions[0].__globals__ if functions else None
            self.subject = class_subject(innermost, functions)
        if self.listed is None and (not isinstance(innermost, type) or _is_of_c(innermost)):
            self.subject = no_source(f"{_full_name(innermost)} is implemented in C")

    def bind(
        self, args: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Returns the call to make: what to call, its positional and its keyword arguments.

        Raises:
            TypeError: An argument is missing, unknown, or given twice.
        """
        call = self._call
        if self._owner is not None and not _gives_class(self._owner, call, args, named):
            call = MethodType(call, self._owner)
        args, named = Parameters(call).bind(self.name, args, named)
        return call, args, named

    def _callable_form(self, target: object) -> Callable[..., Any]:
        """Returns what to call for `target`: itself, or what a descriptor without `__call__` would call."""
        if callable(target):
            return target
        if isinstance(target, staticmethod):  # callable itself from 3.10 on
            return target.__func__
        if isinstance(target, classmethod):
            self._owner = _owner_of(target)
            return target.__func__
        if isinstance(target, property):
            if target.fget is None:
                raise TypeError(
                    "target: this property has no getter; pass the function that you want traced, such as its fset"
                )
            return target.fget
        function = getattr(target, "func", None)  # cached_property, partialmethod
        if callable(function) and hasattr(type(target), "__get__"):
            unbound = getattr(type(target), "_make_unbound_method", None)
            return unbound(target) if unbound is not None else function  # type: ignore[no-any-return]
        raise TypeError(
            "target must be callable, or a property, cached_property, staticmethod or classmethod object, "
            f"not {shown(target)}"
        )


def listed_function(target: object) -> FunctionType | None:
    """Returns the innermost Python function behind a callable or descriptor, or None."""
    return _behind(target)[0]


def class_functions(cls: type) -> list[FunctionType]:
    """Returns the Python functions of a class body, those of classes nested in it included."""
    # Without them: defined elsewhere and only named here. The second is what dataclasses make before 3.10.
    prefix = cls.__qualname__ + "."
    prefixes = (prefix, "__create_fn__.<locals>.")
    found: list[FunctionType] = []
    fields = vars(cls).get("__dataclass_fields__", {})
    factories = [field.default_factory for field in fields.values()]
    # From 3.14 on the compiler adds a function for the annotations, which has no source.
    written = [value for name, value in vars(cls).items() if name != "__annotate_func__"]
    for value in [*written, *factories]:
        if isinstance(value, type):
            found += class_functions(value) if value.__qualname__.startswith(prefix) else []
            continue
        parts = [value.fget, value.fset, value.fdel] if isinstance(value, property) else [value]
        for part in parts:
            function = listed_function(part)
            if function is not None and function.__qualname__.startswith(prefixes) and function not in found:
                found.append(function)
    return found


def _behind(target: object) -> tuple[FunctionType | None, bool, object]:
    """Follows a target inwards.

    Returns:
        The innermost Python function, whether no decorator's code runs before it, and the innermost object of any type.
    """
    function: FunctionType | None = None
    passed_decorator = is_direct = False
    seen: set[int] = set()
    current = target
    while id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, FunctionType):
            function, is_direct = current, not passed_decorator
        inner, is_decorator = _step(current)
        if inner is None:
            break
        passed_decorator = passed_decorator or is_decorator
        current = inner
    return function, is_direct, current


def _step(current: object) -> tuple[object, bool]:
    """Returns what stands behind one object (None: nothing) and whether a decorator's code runs in between."""
    if isinstance(current, type):
        return None, False
    if isinstance(current, (MethodType, staticmethod, classmethod)):
        return current.__func__, False
    if isinstance(current, property):
        return current.fget, False
    names = getattr(current, "__dict__", {})
    if isinstance(current, FunctionType):
        inner = names.get("__wrapped__") or names.get("__partialmethod__", names.get("_partialmethod"))
        if isinstance(inner, FunctionType) and inner.__code__ == current.__code__:
            return None, False  # @malloc_tracer.profile: a copy, whose own code runs and not what it wraps
        return inner, True
    wrapped = getattr(current, "__wrapped__", None)
    if wrapped is not None:
        return wrapped, True
    if isinstance(current, _partial_types()) or (not callable(current) and hasattr(current, "func")):
        return getattr(current, "func", None), False
    call = getattr(type(current), "__call__", None)  # noqa: B004  (wanted: the function, not whether there is one)
    return (call, False) if isinstance(call, FunctionType) else (None, False)


def _partial_types() -> tuple[type, ...]:
    from functools import cached_property, partial, partialmethod

    return partial, partialmethod, cached_property


def _kind(function: FunctionType | None) -> str:
    flags = function.__code__.co_flags if function is not None else 0
    if flags & (_COROUTINE | _ITERABLE_COROUTINE):
        return "coroutine"
    if flags & _ASYNC_GENERATOR:
        return "async generator"
    return "generator" if flags & _GENERATOR else "value"


def _is_of_c(cls: type) -> bool:
    return bool(cls.__flags__ & _IMMUTABLE_TYPE) or not cls.__flags__ & _HEAP_TYPE


def _name(target: object) -> str:
    target = getattr(target, "__func__", target)  # static and class methods have no name of their own before 3.10
    name = getattr(target, "__qualname__", None) or getattr(target, "__name__", None)
    return name if isinstance(name, str) else type(target).__qualname__


def _full_name(target: object) -> str:
    module = getattr(target, "__module__", None)
    name = _name(target)
    if not isinstance(module, str):
        # Methods of built-in types have no module and are named "list.append"; ufuncs are instances of numpy.ufunc.
        module = None if "." in name else type(target).__module__
    return f"{module}.{name}" if module else name


def _owner_of(method: classmethod[Any, Any, Any]) -> type | None:
    """Returns the class whose body holds a bare classmethod object, the one that its name says first."""
    prefix, _, _ = method.__func__.__qualname__.rpartition(".")
    owners: list[type] = []
    left: list[type] = [object]
    seen: set[int] = set()  # ids: some classes warn when they are hashed
    while left:
        cls = left.pop()
        if id(cls) in seen:
            continue
        seen.add(id(cls))
        left += type.__subclasses__(cls)
        if any(value is method for value in list(vars(cls).values())):
            owners.append(cls)
    owners.sort(key=lambda cls: cls.__qualname__ != prefix)
    return owners[0] if owners else None


def _gives_class(owner: type, function: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> bool:
    """Whether the caller passes a bare classmethod's class himself, first in `args` or by the parameter's name."""
    if args:
        return isinstance(args[0], type) and issubclass(args[0], owner)
    code = getattr(function, "__code__", None)
    return code is not None and code.co_argcount > 0 and code.co_varnames[0] in named
