"""The first run of a function has the numbers of the second, apart from what the interpreter itself keeps from then on.

No run before it warms anything up: each program is compiled afresh.
"""

from __future__ import annotations

import sys

import pytest

from engine import check, numbers, trace_call

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="before 3.11 frames are blocks, made at first calls")

PLAIN = {
    "a loop": "def run():\n  rows = [None] * 300\n  for i in range(300): rows[i] = [i]\n  return rows",
    "containers": "def run():\n  return {'a': 1, 'b': [2]}, (1.5,) * 3, {3, 4}",
    "a closure": "def run():\n  x = 1\n  def f(): return x\n  return f, f()",
    "a generator": "def run():\n  def g():\n    yield 1\n    yield [2]\n  return list(g())",
    "methods": "class A:\n  def f(self): return [1]\nO = A()\ndef run():\n  return [O.f() for _ in range(100)]",
    "slots": "class A:\n  __slots__ = ('x',)\ndef run():\n  a = A()\n  a.x = [1]\n  return a",
    "an exception": "def run():\n  try:\n    raise ValueError('x')\n  except ValueError as e:\n    return e",
    "text": "def run():\n  return f'{1.5:>10}', '%d' % 5, '{}'.format(3), chr(233), 'x'.join('abc')",
    "a weak reference": "import weakref\nclass A: pass\nO = A()\ndef run():\n  return weakref.ref(O)",
}

CACHE_OF_CODE = 4 * 8 if sys.version_info >= (3, 12) else 0  # pointers to co_code and the tuples of names

# What CPython keeps from the first run on: (program, bytes).
KEPT = {
    "a function's dict": ("def f(): pass\ndef run():\n  f.x = 1", sys.getsizeof({"x": 1})),
    "a function's annotations": ("def f(x: int): pass\ndef run():\n  f.__annotations__", sys.getsizeof({"x": int})),
    "an instance's dict": ("class A: pass\nO = A()\ndef run():\n  O.__dict__", sys.getsizeof({})),
    "code as bytes": (
        "def run():\n  run.__code__.co_code",
        lambda run: sys.getsizeof(run.__code__.co_code) + CACHE_OF_CODE,
    ),
}
# What its library keeps: more than one can write down here, but only the first time.
OF_THE_LIBRARY = {
    "a compiled expression": "import re\nre.purge()\ndef run():\n  return re.match('ab+', 'aab')",
    "a module": "import sys\nsys.modules.pop('colorsys', None)\ndef run():\n  import colorsys",
}


def three_runs(program):
    namespace = {}
    exec(program, namespace)
    results = []
    for _ in range(3):
        data, it = trace_call(namespace["run"])
        del it
        results.append(numbers(check(data).sum))
    return results, namespace["run"]


@pytest.mark.parametrize("name", PLAIN)
def test_the_first_run_equals_the_second(name):
    first, second, third = three_runs(PLAIN[name])[0]
    assert first == second == third


@pytest.mark.parametrize("name", KEPT)
def test_what_the_interpreter_keeps_is_all_that_the_first_run_has_more(name):
    program, kept = KEPT[name]
    (first, second, third), run = three_runs(program)
    assert second == third
    assert first["live_bytes"] == (kept(run) if callable(kept) else kept)
    assert second["live_bytes"] == 0


@pytest.mark.parametrize("name", OF_THE_LIBRARY)
def test_what_the_library_keeps_is_in_the_first_run_only(name):
    first, second, third = three_runs(OF_THE_LIBRARY[name])[0]
    assert second == third
    assert first["live_bytes"] > second["live_bytes"]
