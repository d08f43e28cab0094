"""`malloc-tracer run`: a program as it is, with the report of what it allocated at its exit."""

from __future__ import annotations

import argparse

from .._arguments import check_columns
from .._engine import formats, pause, resume
from .._trace import format_of
from ._messages import tell
from ._options import COLUMNS, add_color

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._program import Program


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Adds the sub-command."""
    names = [entry[0] for entry in formats()]
    parser = subparsers.add_parser(
        "run",
        help="run a program and report what it allocated",
        usage="%(prog)s [OPTION]... (SCRIPT | -m MODULE | -c CODE) [ARG]...",
        description="Runs a Python program as it is and reports at its exit what it allocated, line by line. Its "
        "arguments, output and exit code are its own; the report goes to standard error.",
        epilog="Without -f the whole program is recorded. @malloc_tracer.profile and malloc_tracer.Scope in the "
        "program join the report. MALLOC_TRACER=0 in the environment switches them off. A report that cannot be "
        "written goes to a new file malloc_tracer-* in the folder for temporary files, which is named on standard "
        "error, or, if that is closed, on the terminal.",
    )
    parser.add_argument(
        "-f",
        dest="targets",
        metavar="TARGET",
        action="append",
        default=[],
        help="record the calls of this function only: MODULE:QUALNAME or PATH.py:QUALNAME, also a pattern such as "
        "'module:Class.*'; may be given several times",
    )
    parser.add_argument("-o", "--output", metavar="FILE", help="write the report to this file")
    parser.add_argument(
        "--format", choices=names, metavar="FMT", help=f"{', '.join(names)}; default by FILE's suffix, else text"
    )
    parser.add_argument(
        "--columns",
        type=_columns,
        default=COLUMNS,
        metavar="NAMES",
        help="the numbers beside the lines, with commas between them: live, peak, allocated, count, temporary, freed, "
        f"total; default {','.join(COLUMNS)}",
    )
    parser.add_argument(
        "--threads",
        choices=("all", "current"),
        default="all",
        help="current: ignore what other threads allocate during the calls",
    )
    parser.add_argument(
        "--children", action="store_true", help="record Python child processes too, and add them up with this one"
    )
    add_color(parser)
    parser.add_argument("-m", dest="module", nargs=argparse.REMAINDER, help="run a module, as python -m does")
    parser.add_argument("-c", dest="code", nargs=argparse.REMAINDER, help="run this code, as python -c does")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="SCRIPT", help="the program and its arguments")
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Runs the sub-command; what the program raises goes on."""
    from . import _program
    from ._children import follow
    from ._exit import Exit
    from ._recorder import Recorder
    from ._wanted import Target, UnknownTarget

    try:
        targets = [Target(text) for text in arguments.targets]
    except UnknownTarget as error:
        return _usage(str(error))
    if arguments.format is None:
        try:
            arguments.format = format_of(arguments.output) if arguments.output else "text"
        except ValueError as error:
            return _usage(f"-o {error}; or pass --format")
    try:
        program = _located(arguments)
    except BaseException as error:  # a program that does not compile; a package that fails when it is imported
        _program.print_without_ours(error)
        raise
    try:
        for target in targets:
            target.check(program)
    except UnknownTarget as error:
        return _usage(str(error))
    pause()
    try:
        recorder = Recorder(targets, arguments.threads == "all", program.code.co_filename)
        recorder.see_code("__main__", program.code)
        if program.module:
            recorder.see_code(program.module, program.code)
        children = follow(recorder, program, arguments.threads) if arguments.children else None
        exit = Exit(recorder, arguments, children)
        function = program.function()
    finally:
        resume()
    exit.begin()
    try:
        _program.run(function, recorder.whole)
    except KeyboardInterrupt:
        exit.is_interrupted = True
        raise
    return 0


def _located(arguments: argparse.Namespace) -> Program:
    from . import _program

    if arguments.module is not None:
        if not arguments.module:
            arguments.parser.error("-m: pass the name of a module")
        return _program.of_module(arguments.module[0], arguments.module[1:])
    if arguments.code is not None:
        if not arguments.code:
            arguments.parser.error("-c: pass Python code")
        return _program.of_code(arguments.code[0], arguments.code[1:])
    words = arguments.program[1:] if arguments.program[:1] == ["--"] else arguments.program
    if not words:
        arguments.parser.error("pass the program to run: SCRIPT, -m MODULE or -c CODE")
    return _program.of_script(words[0], words[1:])


def _usage(message: str) -> int:
    tell(message)
    return 2


def _columns(text: str) -> tuple[str, ...]:
    try:
        return check_columns(text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
