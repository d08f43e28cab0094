"""Every example of malloc_tracer 1.7's README: the listing, to the byte.

An array is its object, 96 bytes, its data, and its dimensions, 16 bytes, which numpy keeps in a cache of its own. In a
new process that cache holds few, so some arrays show 16 bytes more than others, here as in tracemalloc.
"""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from malloc_tracer._sizes import size
from sizes import FREE_THREADED, LIST_HEAD, LOST

EXAMPLES = Path(__file__).parents[2] / "examples"
RULE, LINE = "=" * 104, "-" * 104
# Of the list of 100,000 ints each but the small ones is a block: of 28 bytes before 3.11, of 32 since, free-threaded of
# 48. Small are those up to 256, from 3.15 on those up to 1024.
INTS, INT = 99_743, 32
if sys.version_info >= (3, 15):
    INTS -= 1024 - 256
if sys.version_info < (3, 11):
    INT = 28
if FREE_THREADED:
    INT = 48
LESS = 99_743 * 32 - INTS * INT - LIST_HEAD
# Before 3.11 `print` leaves what it has not written yet.
PRINTED = {"print('x', x)": 68, "print('Hello')": 34} if sys.version_info < (3, 11) else {}
X, HELLO = (PRINTED.get(line, 0) for line in ("print('x', x)", "print('Hello')"))
LIST = size(3_992_760 - LESS)
# What an array's dimensions take if they are not from numpy's cache; before 2.3 they are.
COLD = 16 if not FREE_THREADED and np.lib.NumpyVersion(np.__version__) >= "2.3.0" else 0
# Free-threaded, an array's object is larger, and its dimensions are always a block.
MORE = 32 if FREE_THREADED else 0


def total(count: int) -> str:
    """A sum with its bytes, less what this interpreter need not allocate."""
    count -= LESS
    return f"{size(count)} (raw {count} B)"


USAGE1 = f"""\
x 1
<< Target traces >>
File "{EXAMPLES}/usage1.py"
Line #    Size          Line Contents
{RULE}
     5                  def func(x, y, z):
     6                      dataset1 = np.empty((100, ), dtype=np.float64)
     7                      print('x', x)
     8       7.9 KiB        dataset1 = np.empty((1000, ), dtype=np.float64)
     9@
    10       {LIST}        l = [i for i in range(100000)]
    11@
    12                      if x == 0:
    13                          dataset4a = np.empty((100000, ), dtype=np.float64)
    14                          return 0
    15                      elif x == 1:
    16     {size(800_096 + MORE)}            dataset4b = np.empty((100000, ), dtype=np.float64)
    17                          return 1
    18@
    19                      dataset3 = np.empty((3000, ), dtype=np.float64)
    20                      return 2
{LINE}
     {3 + bool(X)}       {total(4800952 + X + COLD + 2 * MORE)}

Total allocated size: {total(4800952 + X + COLD + 2 * MORE)}
"""

METHOD = f"""\
x 1
<< Target traces >>
File "{EXAMPLES}/usage2a.py"
Line #    Size          Line Contents
{RULE}
    12                      def method(self, x):
    13                          dataset1 = np.empty((100, ), dtype=np.float64)
    14                          print('x', x)
    15       7.9 KiB            dataset1 = np.empty((1000, ), dtype=np.float64)
    16@
    17       {LIST}            l = [i for i in range(100000)]
    18@
    19                          if x == 0:
    20                              dataset4a = np.empty((100000, ), dtype=np.float64)
    21                              return 0
    22                          elif x == 1:
    23     {size(800_096 + MORE)}                dataset4b = np.empty((100000, ), dtype=np.float64)
    24                              return 1
    25@
    26                          dataset3 = np.empty((3000, ), dtype=np.float64)
    27                          return 2
{LINE}
     {3 + bool(X)}       {total(4800952 + X + COLD + 2 * MORE)}

Total allocated size: {total(4800952 + X + COLD + 2 * MORE)}
"""

SMETHOD = f"""\
Hello
<< Target traces >>
File "{EXAMPLES}/usage2b.py"
Line #    Size          Line Contents
{RULE}
    29                      @staticmethod
    30                      def smethod():
    31       {896 + MORE} B              dataset = np.empty((100, ), dtype=np.float64)
    32       {LIST}            l = [i for i in range(100000)]
    33                          print('Hello')
    34                          return dataset
{LINE}
     {2 + bool(HELLO)}       {total(3993656 + HELLO + MORE)}

Total allocated size: {total(3993656 + HELLO + MORE)}
"""

STRING = 20 + sys.getsizeof("")
CMETHOD = f"""\
<< Target traces >>
File "{EXAMPLES}/usage2c.py"
Line #    Size          Line Contents
{RULE}
    36                      @classmethod
    37                      def cmethod(cls, var):
    38        {STRING} B              return cls.CONSTANT + var
{LINE}
     1        {STRING} B   (raw {STRING} B)

Total allocated size: {STRING} B (raw {STRING} B)
"""

RELATED_TARGET = """\
x 1
<< Target traces >>
File "{file}"
Line #    Size          Line Contents
{RULE}
    16                  def func(x, y, z):
    17                      dataset1 = np.empty((100, ), dtype=np.float64)
    18                      print('x', x)
    19       7.9 KiB        dataset1 = np.empty((1000, ), dtype=np.float64)
    20@
    21       {LIST}        l = [i for i in range(100000)]
    22@
    23                      func2()
    24@
    25                      if x == 0:
    26                          dataset4a = np.empty((100000, ), dtype=np.float64)
    27                          return 0
    28                      elif x == 1:
    29     {ROW}            dataset4b = np.empty((100000, ), dtype=np.float64)
    30                          return 1
    31@
    32                      dataset3 = np.empty((3000, ), dtype=np.float64)
    33                      return 2
{LINE}
     {LINES}       {RELATED}
"""

FOR_EACH_FILE = """\

<< Related traces >>
File "{file}"
Line #    Size          Line Contents
{RULE}
    12       7.9 KiB        global_var1 = np.empty((1000, ), dtype=np.float64)
    13      78.2 KiB        global_var2 = np.empty((10000, ), dtype=np.float64)
{LINE}
     2      {OTHERS}

Total allocated size: {ALL}
"""

IN_DESCENDING_ORDER = """\

<< Related traces >>
Line #    Size          Line Contents
{RULE}
#1 "{file}": (raw {VAR2} B)
    13      78.2 KiB        global_var2 = np.empty((10000, ), dtype=np.float64)

#2 "{file}": (raw {VAR1} B)
    12       7.9 KiB        global_var1 = np.empty((1000, ), dtype=np.float64)

Total allocated size: {ALL}
"""

EXPECTED = {
    "usage1.py": USAGE1,
    "usage2a.py": METHOD,
    "usage2b.py": SMETHOD,
    "usage2c.py": CMETHOD,
    "usage3a.py": RELATED_TARGET + FOR_EACH_FILE,
    "usage3b.py": RELATED_TARGET + IN_DESCENDING_ORDER,
    "usage4.py": RELATED_TARGET + IN_DESCENDING_ORDER,
}


def listing(text):
    """`@` after a number stands for the blanks of an empty line."""
    for line, count in PRINTED.items():
        text = re.sub(
            rf"^( +\d+) {{14}}(?= +{re.escape(line)}$)", rf"\g<1>{size(count) + '  ':>14}", text, flags=re.MULTILINE
        )
    return re.sub(r"^( +\d+)@$", r"\1" + " " * 18, text, flags=re.MULTILINE)


def test_every_example_has_a_test():
    assert sorted(EXPECTED) == sorted(path.name for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize("name", EXPECTED)
def test_example(name, python):
    path = EXAMPLES / name
    expected = listing(EXPECTED[name])
    if "{file}" in expected:
        more = {
            "RELATED": total(4800952 + X + 2 * COLD + 2 * MORE),
            "ALL": total(4889144 + X + 3 * COLD + 4 * MORE),
            "ROW": size(800_096 + COLD + MORE),
        }
        rest = 88_192 + COLD + 2 * MORE
        others = f"{size(rest)} (raw {rest} B)"
        table = {
            "RULE": RULE,
            "LINE": LINE,
            "LIST": LIST,
            "LINES": 3 + bool(X),
            "OTHERS": others,
            "VAR1": 8096 + MORE,
            "VAR2": 80_096 + COLD + MORE,
        }
        expected = expected.format(file=path, **table, **more)
    assert python(str(path)) == expected + LOST


def test_the_example_of_issue_3_line_by_line(python):
    """8096, 3992760 and 800096 bytes; the first array, freed when its name was bound again, has no line.

    It is the second call: the first has left the dimensions of its arrays in numpy's cache.
    """
    code = (EXAMPLES / "usage1.py").read_text()
    code += "trace = tracer.trace(target_args=dict(x=1, y=2, z=3), quiet=True)\n"
    code += "for n in range(5, 21): print('line', n, (s := trace.line(func, n).self).live_bytes, s.live_count)"
    lines = [line.split()[1:] for line in python("-c", code).splitlines() if line.startswith("line ")]
    assert [line for line in lines if line[1:] != ["0", "0"]] == [
        ["8", str(8096 + MORE), str(2 + FREE_THREADED)],
        ["10", str(3_992_760 - LESS), str(INTS + 2)],
        ["16", str(800_096 + MORE), str(2 + FREE_THREADED)],
    ]


def test_the_related_example_of_issue_3_line_by_line(python):
    code = (EXAMPLES / "usage3a.py").read_text()
    code += "trace = tracer.trace(target_args=dict(x=1, y=2, z=3), quiet=True)\n"
    code += "print(*[trace.line(func2, n).self.live_bytes for n in (12, 13)])"
    assert python("-c", code).splitlines()[-1] == f"{8096 + MORE} {80_096 + MORE}"
