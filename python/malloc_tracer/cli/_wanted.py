"""The targets of `-f`: which functions are meant, and what to say if there are none.

A target is met as a code object, so whatever the program does with the function made of it (decorate, pickle, compare,
inspect) stays as it is.
"""

from __future__ import annotations

import difflib
import os
import sys
from fnmatch import fnmatchcase
from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from importlib.machinery import ModuleSpec
    from types import ModuleType

    from ._program import Program

_IS_FUNCTION = 1  # CO_OPTIMIZED: not the code of a module or a class body


class UnknownTarget(Exception):
    """There is no such function; the message says what there is."""


class Target:
    """`module:qualname` or `path.py:qualname`; parts of the qualname between dots may be patterns.

    Attributes:
        text: As it was given.
        module: The module's name, or "".
        path: The file's real path, or "".
    """

    def __init__(self, text: str) -> None:
        where, colon, self.qualname = text.rpartition(":")
        if not colon or not where or not self.qualname:
            raise UnknownTarget(
                f"-f {text}: pass MODULE:QUALNAME or PATH.py:QUALNAME, such as json:loads, app.py:main or "
                "'package.module:Class.*'"
            )
        self.text = text
        is_path = where.endswith(".py") or os.sep in where
        self.path = os.path.realpath(where) if is_path else ""
        self.module = "" if is_path else where

    def matches(self, qualname: str) -> bool:
        """Whether the function of this name is meant. A `*` stands for a part of a name without dots."""
        parts, patterns = qualname.split("."), self.qualname.split(".")
        return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))

    def is_in(self, module: str, file: str) -> bool:
        """Whether the module of this name, or this file, is the target's."""
        return module == self.module if self.module else os.path.realpath(file) == self.path

    def check(self, program: Program) -> None:
        """Raises UnknownTarget if there can be no such function. Imports nothing."""
        if self._is_main(program):
            code: CodeType | None = program.code
        elif self.path:
            code = self._code_of_file()
        else:
            code = self._code_of_module()
        if code is None:
            return
        names = [name for name, _ in functions_in(code)]
        first = self.qualname.split(".")[0]
        comes_from_elsewhere = ("*",) in code.co_consts or (
            first in code.co_names and not any(name.split(".")[0] == first for name in names)
        )
        if comes_from_elsewhere or any(map(self.matches, names)):
            return
        near = [*difflib.get_close_matches(self.qualname, names, cutoff=0.4)]
        if not near:
            near = [name for name in names if "<" not in name][:3]
        where = self.path or self.module
        what = f"did you mean {_spelled(self._prefix() + name for name in near)}?" if near else "it has no functions"
        raise UnknownTarget(f"-f {self.text}: there is no function {self.qualname} in {where}; {what}")

    def in_child(self, program: Program) -> str:
        """Returns the text that means the same in a child process, where the program's file has another module name."""
        if self._is_main(program):
            return f"{os.path.realpath(program.code.co_filename)}:{self.qualname}"
        return f"{self.path or self.module}:{self.qualname}"

    def _is_main(self, program: Program) -> bool:
        return self.is_in("__main__", program.code.co_filename) or self.is_in(program.module, "")

    def _prefix(self) -> str:
        return self.text[: len(self.text) - len(self.qualname)]

    def _code_of_file(self) -> CodeType | None:
        try:
            with open(self.path, "rb") as file:
                return compile(file.read(), self.path, "exec", dont_inherit=True)
        except OSError as error:
            near = _files_like(self._prefix()[:-1])
            what = f"; did you mean {_spelled(f'{path}:{self.qualname}' for path in near)}?" if near else ""
            raise UnknownTarget(f"-f {self.text}: cannot read {self.path}: {error.strerror}{what}") from None
        except (SyntaxError, ValueError):
            return None  # the program will say so when it comes to it

    def _code_of_module(self) -> CodeType | None:
        spec = _find(self.module)
        if spec is None:
            known = {*getattr(sys, "stdlib_module_names", ()), *sys.modules, *_modules_beside(self.module)}
            near = difflib.get_close_matches(self.module, sorted(known))
            what = f"did you mean {_spelled(near)}?" if near else "pass PATH.py:QUALNAME if it is not on sys.path yet"
            raise UnknownTarget(f"-f {self.text}: there is no module {self.module}; {what}")
        get_code = getattr(spec.loader, "get_code", None)
        if get_code is None:
            return None
        try:
            code: CodeType | None = get_code(spec.name)  # which os.path, for one, has another than its own
        except SyntaxError:
            return None  # the program will say so when it comes to it
        if code is None:
            raise UnknownTarget(
                f"-f {self.text}: {self.module} is not written in Python; pass a Python function that calls it"
            )
        return code


def functions_in(code: CodeType, prefix: str = "") -> Iterator[tuple[str, CodeType]]:
    """Gives every function that is compiled into `code`, by its qualname, outer ones first."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            name = getattr(constant, "co_qualname", prefix + constant.co_name)
            is_function = bool(constant.co_flags & _IS_FUNCTION)
            if is_function and not name.rpartition(".")[2].startswith("<generic"):
                yield name, constant
            yield from functions_in(constant, name + (".<locals>." if is_function else "."))


def functions_of(module: ModuleType) -> Iterator[tuple[str, CodeType]]:
    """Gives the functions that can be reached in a module that has been imported, by the names they have there."""
    from .._targets import class_functions, listed_function

    for name, value in list(vars(module).items()):
        if isinstance(value, type):
            for function in class_functions(value):
                yield function.__qualname__, function.__code__
        elif callable(value) and (found := listed_function(value)) is not None:
            yield name, found.__code__
            yield from functions_in(found.__code__, name + ".<locals>.")


def _find(name: str) -> ModuleSpec | None:
    """Returns where a module is, without importing the packages around it."""
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__spec__", None) is not None:
        return loaded.__spec__
    path: Iterable[str] | None = None
    spec: ModuleSpec | None = None
    at = 0
    while at >= 0:
        at = name.find(".", at + 1)
        part = name if at < 0 else name[:at]
        finders = [finder.find_spec for finder in sys.meta_path]
        spec = next(filter(None, (find(part, path) for find in finders)), None)  # type: ignore[arg-type]
        if spec is None or (at >= 0 and spec.submodule_search_locations is None):
            return None
        path = spec.submodule_search_locations
    return spec


def _modules_beside(name: str) -> list[str]:
    import pkgutil

    parent, dot, _ = name.rpartition(".")
    spec = _find(parent) if parent else None
    if parent and (spec is None or spec.submodule_search_locations is None):
        return []
    path = None if spec is None else list(spec.submodule_search_locations or ())
    return [parent + dot + module.name for module in pkgutil.iter_modules(path)]


def _files_like(path: str) -> list[str]:
    folder, name = os.path.split(path)
    try:
        known = [other for other in os.listdir(folder or ".") if other.endswith(".py") and other != name]
    except OSError:
        return []
    return [os.path.join(folder, near) for near in difflib.get_close_matches(name, sorted(known))]


def _spelled(names: Iterable[str]) -> str:
    return " or ".join(names)
