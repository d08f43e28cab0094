"""What is made from the parser: completion for bash and zsh, and the man page."""

from __future__ import annotations

import argparse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds `--print-completion` and `--print-man` to the parser of the whole command line."""
    parser.add_argument(
        "--print-completion",
        choices=("bash", "zsh"),
        action=_Print,
        write=lambda shell: bash(parser) if shell == "bash" else zsh(parser),
        help="print the completion of this command for a shell, and exit",
    )
    parser.add_argument(
        "--print-man", nargs=0, action=_Print, write=lambda _: man(parser), help="print the man page, and exit"
    )


class _Print(argparse.Action):
    def __init__(self, *args: Any, write: Callable[[Any], str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._write = write

    def __call__(self, parser: argparse.ArgumentParser, _: Any, value: Any, option: str | None = None) -> None:
        print(self._write(value), end="")
        parser.exit()


def bash(parser: argparse.ArgumentParser) -> str:
    """Returns a bash script that completes sub-commands, options and their choices, else file names."""
    name = parser.prog
    function = "_" + name.replace("-", "_")
    commands = dict(_commands(parser))
    cases = "".join(f"    {command}) options='{' '.join(_options(sub))}' ;;\n" for command, sub in commands.items())
    choices: dict[str, str] = {}
    for sub in [parser, *commands.values()]:
        for action in sub._actions:
            if action.option_strings and action.choices:
                choices["|".join(action.option_strings)] = " ".join(map(str, action.choices))
    values = "".join(
        f"    {options}) COMPREPLY=($(compgen -W '{words}' -- \"$word\")); return ;;\n"
        for options, words in sorted(choices.items())
    )
    return f"""\
{function}() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} options='{" ".join([*commands, *_options(parser)])}'
  case ${{COMP_WORDS[COMP_CWORD-1]}} in
{values}  esac
  case ${{COMP_WORDS[1]}} in
{cases}  esac
  if [[ $word == -* || $COMP_CWORD == 1 ]]; then COMPREPLY=($(compgen -W "$options" -- "$word")); fi
}}
complete -o default -o bashdefault -F {function} {name}
"""


def zsh(parser: argparse.ArgumentParser) -> str:
    """Returns a zsh function that completes sub-commands and options with their descriptions, else file names."""
    name = parser.prog
    function = "_" + name.replace("-", "_")
    commands = dict(_commands(parser))
    helps = _command_helps(parser)
    listed = " ".join(_quoted(f"{command}:{helps[command]}") for command in commands)
    cases = "".join(
        f"    {command}) _arguments {' '.join(_zsh_specs(sub))} '*:file:_files' ;;\n"
        for command, sub in commands.items()
    )
    return f"""\
#compdef {name}
{function}() {{
  if (( CURRENT == 2 )); then
    local -a commands=({listed})
    _describe command commands
    _arguments {" ".join(_zsh_specs(parser))}
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
{cases}  esac
}}
compdef {function} {name}
"""


def man(parser: argparse.ArgumentParser) -> str:
    """Returns the man page, in roff."""
    lines = [
        f".TH {parser.prog.upper()} 1",
        ".SH NAME",
        f"{_roff(parser.prog)} \\- {_roff(parser.description or '')}",
        ".SH SYNOPSIS",
        f".B {_roff(parser.prog)}",
        "COMMAND [OPTION]... [ARGUMENT]...",
        ".SH OPTIONS",
        *_man_options(parser),
        ".SH COMMANDS",
    ]
    helps = _command_helps(parser)
    for command, sub in _commands(parser):
        usage = " ".join(sub.format_usage().removeprefix("usage: ").split())
        lines += [f".SS {command}", _roff(usage), ".PP", _roff(sub.description or helps[command].capitalize() + ".")]
        if sub.epilog:
            lines += [".PP", _roff(sub.epilog)]
        lines += _man_options(sub)
    lines += [
        ".SH EXIT STATUS",
        "That of the program for run; 1 if diff has found growth; 2 for usage errors and files that cannot be used.",
    ]
    return "\n".join(lines) + "\n"


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def _command_helps(parser: argparse.ArgumentParser) -> dict[str, str]:
    subparsers = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return {choice.dest: choice.help or "" for action in subparsers for choice in action._choices_actions}


def _options(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in parser._actions for option in action.option_strings]


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")


def _value(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.choices is not None and action.metavar is None:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest.upper())


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _zsh_specs(parser: argparse.ArgumentParser) -> Sequence[str]:
    specs = []
    for action in parser._actions:
        text = _help(action).translate({ord(letter): f"\\{letter}" for letter in "[]:"})
        value = _value(action)
        choices = f"({' '.join(map(str, action.choices))})" if action.choices and action.option_strings else "_files"
        tail = f":{value.split('|')[0]}:{choices}" if value else ""
        specs += [_quoted(f"{option}[{text}]{tail}") for option in action.option_strings]
    return specs


def _roff(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def _man_options(parser: argparse.ArgumentParser) -> list[str]:
    lines: list[str] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        value = _value(action)
        names = ", ".join(f"{option} {value}".strip() for option in action.option_strings) or value
        lines += [".TP", f".B {_roff(names)}", _roff(_help(action))]
    return lines
