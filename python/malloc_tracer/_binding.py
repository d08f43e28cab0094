"""From `args` and `target_args` to a call: positional-only parameters may be named, mistakes are found before it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from inspect import Parameter
    from typing import Any, NoReturn


class Parameters:
    """What a callable takes: exactly that callable, not what it wraps, since a decorator may take other arguments.

    Attributes:
        own: Its parameters, or None where they are not known (some C functions).
        behind: The positional-only parameters of the function it wraps, if it takes `*args`: they can be named too.
    """

    __slots__ = ("behind", "own")

    def __init__(self, call: Callable[..., Any]) -> None:
        own = _parameters(call, follow_wrapped=False)
        inner = _parameters(call, follow_wrapped=True)
        # `lru_cache` and other C objects have no parameters of their own and pass on what they get.
        self.own = inner if own is None else own
        self.behind: list[Parameter] = []
        if own is not None and any(parameter.kind.name == "VAR_POSITIONAL" for parameter in own):
            self.behind = [parameter for parameter in inner or [] if _is_positional_only(parameter)]

    def bind(self, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Returns the positional and keyword arguments of the call `name(*args, **kwargs)`.

        Raises:
            TypeError: An argument is missing, unknown, or given twice.
        """
        if self.own is None:
            return args, named
        return _Binding(name, self.own, self.behind, args, dict(named)).bind()


def _parameters(call: Callable[..., Any], *, follow_wrapped: bool) -> list[Parameter] | None:
    import inspect

    try:
        return list(inspect.signature(call, follow_wrapped=follow_wrapped).parameters.values())
    except Exception:  # an object may make its signature in any way
        return None


def _is_positional_only(parameter: Parameter) -> bool:
    return parameter.kind.name == "POSITIONAL_ONLY"


class _Binding:
    """One call in the making: positional arguments grow, named ones that became positional go."""

    def __init__(
        self, name: str, own: list[Parameter], behind: list[Parameter], args: tuple[Any, ...], named: dict[str, Any]
    ) -> None:
        self.name = name
        self.parameters = own
        kinds = {parameter.kind.name for parameter in own}
        self.takes_more_args = "VAR_POSITIONAL" in kinds
        self.takes_more_names = "VAR_KEYWORD" in kinds
        self.behind = behind
        self.args = args
        self.named = named

    def bind(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        positional = [p for p in self.parameters if p.kind.name in ("POSITIONAL_ONLY", "POSITIONAL_OR_KEYWORD")]
        given, rest = positional[: len(self.args)], positional[len(self.args) :]
        if len(self.args) > len(positional) and not self.takes_more_args:
            self.fail(
                f"takes at most {len(positional)} positional arguments; args has {len(self.args)}: leave some out"
            )
        for parameter in given:
            # f(a, /, **names) may be called as f(1, a=2).
            if parameter.name in self.named and not (_is_positional_only(parameter) and self.takes_more_names):
                self.fail(f"gets the argument {parameter.name!r} twice; pass it in args or in target_args, not in both")
        bound = self.args + self.take_positional_only([p for p in rest if _is_positional_only(p)] or self.wrapped())
        by_name = [p for p in rest if not _is_positional_only(p)]
        by_name += [p for p in self.parameters if p.kind.name == "KEYWORD_ONLY"]
        self.check_names(by_name)
        return bound, self.named

    def wrapped(self) -> list[Parameter]:
        """Returns the wrapped function's positional-only parameters after `args`, up to the last that is named."""
        left = self.behind[len(self.args) :]
        last = max((index for index, parameter in enumerate(left) if parameter.name in self.named), default=-1)
        return left[: last + 1]

    def take_positional_only(self, parameters: list[Parameter]) -> tuple[Any, ...]:
        """Moves named positional-only arguments; a default before one of them is passed as the very object it is."""
        values: list[Any] = []
        skipped: list[Any] = []
        for parameter in parameters:
            if parameter.name in self.named:
                values += [*skipped, self.named.pop(parameter.name)]
                skipped = []
            elif parameter.default is parameter.empty:
                self.fail_missing(parameter)
            else:
                skipped.append(parameter.default)
        return tuple(values)

    def check_names(self, by_name: list[Parameter]) -> None:
        for parameter in by_name:
            if parameter.name not in self.named and parameter.default is parameter.empty:
                self.fail_missing(parameter)
        known = {parameter.name for parameter in by_name}
        unknown = [name for name in self.named if name not in known]
        if unknown and not self.takes_more_names:
            self.fail(f"has no argument {unknown[0]!r}; leave it out of target_args")

    def fail_missing(self, parameter: Parameter) -> NoReturn:
        self.fail(
            f"misses the argument {parameter.name!r}; "
            f"pass target_args={{{parameter.name!r}: ...}} or its value in args=(...)"
        )

    def fail(self, problem: str) -> NoReturn:
        stars = {"VAR_POSITIONAL": "*", "VAR_KEYWORD": "**"}
        names = ", ".join(stars.get(p.kind.name, "") + p.name for p in self.parameters)
        raise TypeError(f"{self.name}({names}) {problem}")
