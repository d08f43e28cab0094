# SPDX-License-Identifier: MIT
"""Dumps location tables of real code objects, with the lines CPython itself gives.

    python3.11 dump_location_tables.py > location_tables_311.txt      (3.11 or later)

One code object a line: qualified name, first line, table in hex, and one `line:units` per run of
code units with the same line (line 0: no line), all separated by blanks.
"""

import argparse
import ast
import itertools
import json.decoder
import sys
import types

TRICKY = (
    """
def closure(a, b=1):
    c = [
        a
        for a in range(b)
        if a
    ]
    def inner():
        nonlocal c
        c = (c,
             a)
        return c
    return inner

async def steps(items):
    async with items as opened:
        async for item in opened:
            try:
                yield item
            except ValueError as error:
                raise RuntimeError from error
            finally:
                await item

def match(value):
    match value:
        case {"a": [x, *_]}:
            return x
        case str() | bytes():
            return (yield from value)

def backwards(x): return f(
    x
)(
    g(x)) if x else (lambda: (
        x))

"""
    + "\n" * 70_000
    + """
class Far:
    attribute = {
        1: 2,
"""
    + "\n" * 300
    + """
        3: [4 for _ in ()],
    }
    def method(self, wide):
        return wide."""
    + "a" * 200
    + """(wide, """
    + "b" * 200
    + """)
"""
)


def codes_below(code: types.CodeType) -> list[types.CodeType]:
    """`code` and every code object among its constants."""
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return [code, *itertools.chain.from_iterable(map(codes_below, inner))]


def dump(code: types.CodeType) -> str:
    """One line of the fixture; fails where co_positions and co_lines disagree."""
    by_unit = [line or 0 for line, _, _, _ in code.co_positions()]
    for start, end, line in code.co_lines():
        assert by_unit[start // 2 : end // 2] == [line or 0] * ((end - start) // 2), code
    runs = [f"{line}:{len(list(run))}" for line, run in itertools.groupby(by_unit)]
    name = code.co_qualname.replace(" ", "_")
    return " ".join([name, str(code.co_firstlineno), code.co_linetable.hex(), *runs])


def main() -> None:
    """Prints the tables of the tricky source above and of two modules of the library."""
    for module in (ast, argparse, json.decoder):
        with open(module.__file__, encoding="utf-8") as file:
            code = compile(file.read(), module.__name__, "exec")
        sample = codes_below(code)
        sys.stdout.writelines(dump(code) + "\n" for code in sample[:15])
    sys.stdout.writelines(dump(c) + "\n" for c in codes_below(compile(TRICKY, "tricky", "exec")))


if __name__ == "__main__":
    main()
