"""What one process records for `malloc-tracer run`, and its results: the program, functions, profiles and scopes."""

from __future__ import annotations

import os
import sys
from types import CellType, FunctionType

from .. import _joined, merge
from .._engine import ScopeHandle, pause, resume
from .._listing import Listing, RelatedTracesOutputMode
from .._recording import build, library_prefixes
from .._source import Stretch, file_lines
from .._subjects import function_subject
from .._trace import Trace
from ._arrivals import Arrivals
from ._program import CALLER
from ._wanted import functions_in, functions_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import CodeType, FrameType, ModuleType

    from .._engine import TraceData
    from .._listing import Subject
    from .._profile import Profile
    from .._scope import Scope
    from ._wanted import Target

_MOST_SCOPES = 64  # ended scopes of one with block that wait to be added up


class Result:
    """One trace of the report.

    Attributes:
        kind: "program", "function", "profile" or "scope".
        place: What makes it the same in another process: its name, file and line.
        calls: How many calls, with blocks or processes were added up.
        trace: The trace.
    """

    def __init__(self, kind: str, place: tuple[str, str, int], calls: int, trace: Trace) -> None:
        self.kind = kind
        self.place = place
        self.calls = calls
        self.trace = trace


def added_up(results: Iterable[Result]) -> list[Result]:
    """Returns one result for each kind and place: what several processes have recorded of the same."""
    groups: dict[tuple[object, ...], list[Result]] = {}
    for result in results:
        groups.setdefault((result.kind, result.place), []).append(result)
    return [_sum(group) for group in groups.values()]


def _sum(group: list[Result]) -> Result:
    first = group[0]
    if len(group) == 1:
        return first
    return Result(first.kind, first.place, sum(each.calls for each in group), merge([each.trace for each in group]))


class _Armed:
    """One function: its code object, kept alive, and the scope of all its calls."""

    def __init__(self, code: CodeType, name: str, all_threads: bool) -> None:
        self.code = code
        self.name = name
        self.handle = ScopeHandle(name, all_threads)
        self.handle.attach(code)


class Recorder:
    """Records from its making on, but for the program's scope, which `whole` is entered for.

    Args:
        targets: The functions; none of them means the whole program.
        all_threads: Whether other threads count.
        file: The program's file, whose lines are listed, or "".
    """

    def __init__(self, targets: list[Target], all_threads: bool, file: str) -> None:
        self.targets = targets
        self.file = file
        self.found: set[str] = set()
        self.whole = None if targets else ScopeHandle(os.path.basename(file) or "program", all_threads)
        self._all_threads = all_threads
        self._armed: dict[int, _Armed] = {}
        self._profiles: list[Profile] = []
        self._scopes: dict[tuple[str, str, int], list[Result]] = {}
        _joined.on_profile = self._profiles.append
        _joined.on_scope = self._add_scope
        _joined.on_copy = self._see_copy
        if targets:
            Arrivals(targets, self.see_code, self._see_module).install()

    def see_code(self, module: str, code: CodeType) -> None:
        """Arms what is wanted of a module that is about to run."""
        self._arm_all(module, code.co_filename, lambda: functions_in(code))

    def enter_whole(self) -> None:
        """Records the rest of a child process: what is called from the program, or from where it is now."""
        if self.whole is None:
            return
        frame: FrameType | None = sys._getframe()
        depth = 0
        while frame is not None and frame.f_code is not CALLER:
            frame, depth = frame.f_back, depth + 1
        self.whole.enter(depth, False)

    def begin_again(self) -> None:
        """Starts from nothing in a forked child, whose inherited scopes are inert."""
        if self.whole is not None:
            self.whole = ScopeHandle(os.path.basename(self.file) or "program", self._all_threads)
        self._armed = {key: _Armed(each.code, each.name, self._all_threads) for key, each in self._armed.items()}
        self._scopes = {}
        for profile in self._profiles:
            profile._open()

    def results(self) -> list[Result]:
        """Ends all scopes and returns what they have recorded. The caller has paused recording."""
        _joined.on_profile = _joined.on_scope = _joined.on_copy = None
        results: list[Result] = []
        if self.whole is not None:
            self.whole.leave()
            results.append(Result("program", (self.file, self.file, 0), 1, self._whole_trace(self.whole)))
        for armed in self._armed.values():
            armed.handle.end()
            results.append(_function_result("function", armed.code, armed.name, armed.handle))
        for profile in self._profiles:
            results.append(_function_result("profile", profile._function.__code__, profile._name, profile._handle))
        for group in self._scopes.values():
            results.append(_sum(group))
        return added_up(results)

    def so_far(self) -> list[TraceData]:
        """Returns what the program's scope, or those of its functions, have recorded up to now."""
        handles = [self.whole] if self.whole is not None else [armed.handle for armed in self._armed.values()]
        return [build(handle) for handle in handles]

    def _whole_trace(self, handle: ScopeHandle) -> Trace:
        exclude = [_literal(prefix) + "*" for prefix in library_prefixes()]
        listing = Listing(_file_subject(self.file), RelatedTracesOutputMode.IN_DESCENDING_ORDER, (), exclude)
        return Trace(build(handle), listing)

    def _see_module(self, name: str, module: ModuleType) -> None:
        self._arm_all(name, getattr(module, "__file__", None) or "", lambda: functions_of(module), module.__name__)

    def _arm_all(
        self, module: str, file: str, functions: Callable[[], Iterator[tuple[str, CodeType]]], frozen: str = ""
    ) -> None:
        pause()
        try:
            targets = [target for target in self.targets if target.is_in(module, file)]
            if not targets:
                return
            for name, code in functions():
                for target in targets:
                    # A pattern means what the module defines; a name also what it has from elsewhere.
                    if target.matches(name) and (
                        target.qualname == name or code.co_filename in (file, f"<frozen {frozen}>")
                    ):
                        self.found.add(target.text)
                        self._arm(code, name)
        finally:
            resume()

    def _arm(self, code: CodeType, name: str) -> None:
        if id(code) not in self._armed:
            self._armed[id(code)] = _Armed(code, name, self._all_threads)

    def _see_copy(self, code: CodeType, copy: CodeType) -> None:
        armed = self._armed.get(id(code))
        if armed is not None:
            self._arm(copy, armed.name)

    def _add_scope(self, scope: Scope) -> None:
        code = scope._code
        place = (scope._name, code.co_filename if code is not None else "", scope._line)
        group = self._scopes.setdefault(place, [])
        group.append(Result("scope", place, 1, scope.trace))
        if len(group) >= _MOST_SCOPES:
            group[:] = [_sum(group)]


def _function_result(kind: str, code: CodeType, name: str, handle: ScopeHandle) -> Result:
    trace = Trace(build(handle), Listing(function_subject(_function(code))))
    return Result(kind, (name, code.co_filename, code.co_firstlineno), handle.calls, trace)


def _function(code: CodeType) -> FunctionType:
    """Returns some function made of `code`, by which its source is found."""
    modules = [vars(module) for module in list(sys.modules.values()) if hasattr(module, "__dict__")]
    names = next((names for names in modules if names.get("__file__") == code.co_filename), {})
    return FunctionType(code, names, closure=tuple(CellType() for _ in code.co_freevars))


def _file_subject(file: str) -> Subject:
    def subject(_: TraceData) -> tuple[list[Stretch], str]:
        lines = file_lines(file)
        return ([Stretch(file, 1, len(lines), lines)] if lines else []), f"no source: {file or 'the program'}"

    return subject


def _literal(text: str) -> str:
    """Returns an fnmatch pattern that matches `text` alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in text)
