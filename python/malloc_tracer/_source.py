"""Source text: of a function, of a with block, and of any line, wherever Python keeps it.

Files, modules inside archives (`__loader__`), notebook cells and `exec` with a linecache entry, the interactive
interpreter and `-c` from Python 3.13 on. Where there is none, a section carries the reason and the numbers alone.
"""

from __future__ import annotations

import sys
from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType


def file_lines(file: str) -> list[str]:
    """Returns the lines of a file without their newlines, or [] where there is no source to be had."""
    import linecache

    lines = linecache.getlines(file)
    if not lines:
        for module in list(sys.modules.values()):
            names = getattr(module, "__dict__", {})
            if names.get("__file__") == file:
                lines = linecache.getlines(file, names)
                break
    return [line.rstrip("\r\n") for line in lines]


class Stretch:
    """Some lines of a file that the target table shows in full; where they cannot be had, `note` says why."""

    __slots__ = ("file", "first_line", "last_line", "note", "text")

    def __init__(self, file: str, first_line: int, last_line: int, text: Sequence[str] = (), note: str = "") -> None:
        self.file = file
        self.first_line = first_line
        self.last_line = last_line
        self.text = text
        self.note = note

    def places(self) -> set[tuple[str, int]]:
        """Returns its lines as {(file, number)}."""
        return {(self.file, number) for number in range(self.first_line, self.last_line + 1)}


def function_stretch(function: FunctionType) -> Stretch:
    """Returns the source of a function, decorators included, or the reason why there is none."""
    code = function.__code__
    last = _last_line(code)
    text, first = _function_lines(function)
    if not text:
        return Stretch(code.co_filename, code.co_firstlineno, last, note=_why_not(code))
    if first + len(text) <= last:
        text += file_lines(code.co_filename)[first + len(text) - 1 : last]
    return Stretch(code.co_filename, first, first + len(text) - 1, text)


def block_stretch(code: CodeType, line: int) -> Stretch | None:
    """Returns the source of the with block that was entered in line `line` of `code`, or None if it is none."""
    lines = _lines_around(code)
    if not lines:
        return Stretch(code.co_filename, line, max(line, _last_line(code)), note=_why_not(code))
    # An item of a with statement over several lines may stand below its first line.
    for first in range(min(line, len(lines)), max(line - 20, code.co_firstlineno - 1, 0), -1):
        if lines[first - 1].lstrip().startswith(("with ", "with(", "async with ")):
            last = _block_end(lines, first)
            return Stretch(code.co_filename, first, last, lines[first - 1 : last])
    return None


def _function_lines(function: FunctionType) -> tuple[list[str], int]:
    import inspect

    code = function.__code__
    try:
        # It checks the linecache against the file first, and knows what the interactive interpreter keeps.
        # A bare function, because it would follow `__wrapped__`.
        found, first = inspect.getsourcelines(FunctionType(code, function.__globals__, closure=function.__closure__))
    except (OSError, TypeError, SyntaxError, IndexError, ValueError):
        return [], 0
    word = "lambda" if code.co_name == "<lambda>" else code.co_name
    if first > code.co_firstlineno or not any(word in line for line in found):
        return [], 0  # other code under the same name: "<string>" may be anything
    return [line.rstrip("\r\n") for line in found], first


def _lines_around(code: CodeType) -> list[str]:
    import linecache

    from_code = getattr(linecache, "_getlines_from_code", None)  # the interactive interpreter from 3.13.1 on
    found = from_code(code) if from_code is not None and code.co_filename.startswith("<") else []
    return [line.rstrip("\r\n") for line in found] or file_lines(code.co_filename)


def _last_line(code: CodeType) -> int:
    from dis import findlinestarts

    lines = [line for _, line in findlinestarts(code) if line]
    nested = [_last_line(constant) for constant in code.co_consts if isinstance(constant, type(code))]
    return max([code.co_firstlineno, *lines, *nested])


def _block_end(lines: Sequence[str], first: int) -> int:
    """Returns the number of the last line of the compound statement that begins in line `first`."""
    import tokenize

    depth, base, last = 0, 0, first
    header_done = inside = False
    source = iter([line + "\n" for line in lines[first - 1 :]])
    try:
        for token in tokenize.generate_tokens(lambda: next(source, "")):
            if token.type in (tokenize.NL, tokenize.COMMENT):
                continue
            if header_done and not inside and token.type != tokenize.INDENT:
                break  # the block stood on the header's line
            if token.type == tokenize.INDENT:
                depth += 1
                inside = header_done
                base = base if inside else depth  # the header itself is indented
            elif token.type == tokenize.DEDENT:
                depth -= 1
                if depth <= base:
                    break
            elif token.type == tokenize.NEWLINE:
                last = first + token.start[0] - 1
                header_done = True
    except (tokenize.TokenError, SyntaxError):
        pass  # the text ends in the middle; what was seen so far is shown
    return last


def _why_not(code: CodeType) -> str:
    file = code.co_filename
    if file == "<stdin>":
        return "typed into the interpreter, which keeps what is typed from Python 3.13 on only"
    if file.startswith("<") and file.endswith(">"):
        return f"{file} was compiled from a string, without an entry in linecache"
    if file_lines(file):
        return f"{file} has changed since it was compiled"
    return f"{file} cannot be read"
