"""What the target table of a listing shows: a function, a class, a with block, or the reason why there is no source."""

from __future__ import annotations

from ._source import block_stretch, function_stretch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, FunctionType

    from ._engine import TraceData
    from ._listing import Subject
    from ._source import Stretch


def function_subject(function: FunctionType) -> Subject:
    """Lists the whole function, whether or not it ran."""

    def subject(_: TraceData) -> tuple[list[Stretch], str]:
        return [function_stretch(function)], ""

    return subject


def class_subject(cls: type, functions: list[FunctionType]) -> Subject:
    """Lists every function of the class body that ran: those with numbers, and the constructors."""

    def subject(data: TraceData) -> tuple[list[Stretch], str]:
        ran = {(line.file, line.number) for line in data.lines}
        allocated = {(line.file, line.number) for line in data.lines if line.self.allocated_count}
        shown: list[Stretch] = []
        covered: set[tuple[str, int]] = set()
        for function in sorted(functions, key=lambda each: (each.__code__.co_filename, each.__code__.co_firstlineno)):
            stretch = function_stretch(function)
            places = stretch.places()
            is_constructor = function.__name__ in ("__new__", "__init__")
            # Without source (what dataclass makes) there is nothing to show but numbers.
            is_shown = is_constructor or places & ran if stretch.text else places & allocated
            if is_shown and not places <= covered:
                covered |= places
                shown.append(stretch)
        what = "has no function of its own that ran" if functions else "has no Python code of its own"
        return shown, f"no source: class {cls.__qualname__} {what}"

    return subject


def block_subject(code: CodeType | None, line: int) -> Subject:
    """Lists the with block that was entered in line `line` of `code`."""

    def subject(_: TraceData) -> tuple[list[Stretch], str]:
        if code is None:
            return [], "no source: this scope was never entered"
        stretch = block_stretch(code, line)
        return ([stretch] if stretch is not None else []), "no source: this scope is not a with block"

    return subject


def no_source(reason: str) -> Subject:
    """Lists nothing, and says why."""

    def subject(_: TraceData) -> tuple[list[Stretch], str]:
        return [], f"no source: {reason}"

    return subject
