"""`malloc-tracer run`: the program runs as if Python ran it, and the report says what it allocated, exactly."""

import re
import signal
import subprocess
import sys

import pytest

import malloc_tracer
from command_line import ENVIRONMENT, CommandLine, numbers
from sizes import ARGUMENT, LIST_HEAD, array


def kib(size):
    return f"{size / 1024:.1f} KiB"


@pytest.fixture
def cli(tmp_path):
    return CommandLine(tmp_path)


APP = """\
import other

def work(n):
    return bytearray(n), bytearray(n), bytearray(n)  # work

class Box:
    def fill(self):
        return bytearray(100)  # fill

    def outer(self):
        def inner():
            return bytearray(50)  # inner
        return inner()

def never():
    return bytearray(1)

kept = work(1000)
for _ in range(4):
    Box().fill()
Box().outer()
other.helper()
"""
OTHER = """\
import functools

@functools.lru_cache
def helper():
    return bytearray(77)  # helper

def numbers():
    yield bytearray(10)  # numbers
    yield 2
"""


# As Python does it


def without_addresses(text):
    return re.sub(r"0x[0-9a-f]+", "0x", text)


SHOW = """\
import sys
names = {key: type(value).__name__ for key, value in globals().items()}
print(names, __name__, globals().get("__file__"), sys.argv, sys.path[:2])
print(sys.modules["__main__"].__dict__ is globals(), __builtins__, __spec__, __package__)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["show.py"],
        ["show.py", "-f", "x", "--", "-o", "--help"],
        ["./show.py"],
        ["sub/link.py", "a"],
        ["folder", "a"],
        ["-m", "show", "-m", "-c"],
        ["-m", "package", "--columns"],
        ["-c", SHOW, "-c", "x"],
    ],
)
def test_program_sees_what_python_shows_it(cli, arguments):
    path = cli.file("show.py", SHOW)
    cli.file("folder/__main__.py", SHOW)
    cli.file("package/__init__.py", "")
    cli.file("package/__main__.py", SHOW)
    (cli.folder / "sub").mkdir()
    (cli.folder / "sub" / "link.py").symlink_to(path)
    expected, done = cli.python(*arguments), cli.run(*arguments)
    assert (expected.code, expected.err) == (0, "")
    assert (without_addresses(done.out), done.code) == (without_addresses(expected.out), 0)


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit(3)",
        "import sys; sys.exit('a message')",
        "raise SystemExit",
        "1/0",
        "def f():\n  raise ValueError('x') from KeyError(1)\nf()",
        "import sys\nsys.excepthook = lambda *a: print('hook', a[0].__name__, a[2] is a[1].__traceback__)\n1/0",
        "x = (",
        "import os, signal; os.kill(os.getpid(), signal.SIGINT); import time; time.sleep(5)",
        "import os; os._exit(4)",
        "import atexit, sys; atexit.register(print, 'last'); sys.stdout.write('first ')",
        "from malloc_tracer import MallocTracerError; raise MallocTracerError('mine')",
        "raise BrokenPipeError",
    ],
)
def test_end_is_pythons(cli, code):
    path = cli.file("end.py", code)
    for arguments in ([path], ["-m", "end"]):
        expected, done = cli.python(*arguments), cli.run(*arguments)
        assert (done.code, done.out) == (expected.code, expected.out)
        # Below `python -m` stand the frames of runpy, which are not the program's.
        lines = [line for line in expected.err.splitlines(keepends=True)]
        if arguments == [path]:
            if sys.version_info < (3, 10) and "SyntaxError" in expected.err:
                # Of a file 3.9 shows the line after its end, of its text the line before.
                assert done.err.splitlines()[-1] == expected.err.splitlines()[-1]
            else:
                assert done.err.startswith(expected.err)
            assert "malloc_tracer/cli" not in done.err
        elif lines:
            assert done.err.startswith(lines[0])


@pytest.mark.parametrize("arguments", [["nowhere.py"], ["-m", "nowhere"], ["-m", "concurrent"], ["folder"]])
def test_program_that_is_not_there(cli, arguments):
    (cli.folder / "folder").mkdir()
    expected, done = cli.python(*arguments), cli.run(*arguments)
    assert expected.code in (1, 2)
    assert (done.code, done.out, done.err) == (expected.code, expected.out, expected.err)


def test_pickled_class_of_main(cli):
    path = cli.file(
        "app.py",
        "import pickle, inspect\nclass A:\n    def f(self): return 1\n"
        "print(type(pickle.loads(pickle.dumps(A()))) is A, inspect.getsource(A.f).strip(), A.f.__code__.co_flags)\n",
    )
    assert cli.run("-f", "app.py:A.f", path).out == cli.python(path).out


# The whole program


def test_whole_program(cli):
    path = cli.file(
        "app.py",
        "def f():\n    global kept\n    kept = bytearray(1000)\n    dropped = bytearray(500)\nkept = None; f()\n",
    )
    trace = cli.trace(path)
    assert trace.name == "app.py"
    assert [trace.line(path, number).self.live_bytes for number in (3, 4)] == [array(1000), 0]
    assert [trace.line(path, number).self.allocated_bytes for number in (3, 4)] == [
        array(1000) + ARGUMENT,
        array(500) + ARGUMENT,
    ]
    assert {node.frame.function for node in trace.root.children} == {"<module>"}


def test_threads_and_exit_handlers_belong_to_the_program(cli):
    path = cli.file(
        "app.py",
        "import threading, atexit, time\nkept = []\n"
        "def late():\n    time.sleep(0.2)\n    kept.append(bytearray(1000))\n"
        "def last():\n    kept.append(bytearray(2000))\n"
        "atexit.register(last)\nthreading.Thread(target=late).start()\n",
    )
    trace = cli.trace(path)
    assert [trace.line(path, number).self.live_bytes for number in (5, 7)] == [
        array(1000) + LIST_HEAD + 32,
        array(2000),
    ]
    current = cli.trace("--threads", "current", path)
    assert [current.line(path, number).self.live_bytes for number in (5, 7)] == [0, array(2000)]


def test_nothing_of_ours_is_counted(cli):
    trace = cli.trace("-c", "")
    frame = 1 if sys.version_info < (3, 11) else 0  # a block, which the call of the program's code makes
    assert (trace.allocated_count, trace.freed_count, len(trace.lines)) == (frame, frame, frame)


def test_traceback_of_a_program_that_raises_has_no_frame_of_ours_in_the_numbers(cli):
    path = cli.folder / "trace.json"

    def places(code):
        cli.run("-o", str(path), "-c", code)
        return {(line.file, line.number) for line in malloc_tracer.load(path).lines}

    assert places("x = []\nraise ValueError(x)") - places("") == {("<string>", 1), ("<string>", 2)}


# Functions


def test_one_listing_for_each_function(cli):
    path = cli.file("app.py", APP)
    cli.file("other.py", OTHER)
    targets = ["app.py:work", "app.py:Box.*", "__main__:Box.outer.<locals>.inner", "other:helper", "app.py:never"]
    done = cli.run(*[word for target in targets for word in ("-f", target)], path)
    assert (done.code, done.out) == (0, "")
    titles = [line for line in done.err.splitlines() if line.endswith((" call", " calls", " called"))]
    assert titles == [
        "work: 1 call",
        "Box.fill: 4 calls",
        "Box.outer: 1 call",
        "Box.outer.<locals>.inner: 1 call",
        "never: never called",
        "helper: 1 call",
    ]
    live = 3 * array(1000) + sys.getsizeof((0, 0, 0))
    assert numbers(done.err, "# work") == [kib(live), kib(live), kib(live + 3 * ARGUMENT), "10"]
    one = array(100) + ARGUMENT
    assert numbers(done.err, "# fill") == ["0 B", f"{one} B", f"{4 * one} B", "12"]
    assert numbers(done.err, "# helper") == [f"{array(77)} B", *[f"{array(77) + ARGUMENT} B"] * 2, "3"]


def test_function_of_a_module_that_is_imported_later_or_elsewhere(cli):
    cli.file("package/__init__.py", "from .inside import far\n")
    cli.file("package/inside.py", "def far():\n    return bytearray(9)\n")
    cli.file("star.py", "from package.inside import *\n")
    path = cli.file("app.py", "def main():\n    import package, star\n    package.far()\nmain()\n")
    for target in ("package:far", "star:far", "package.inside:far", "package/inside.py:far", "package.inside:f*"):
        done = cli.run("-f", target, path)
        assert done.err.splitlines()[0] == "far: 1 call", target
        assert numbers(done.err, "return bytearray(9)") == ["0 B", *[f"{array(9) + ARGUMENT} B"] * 2, "3"]


def test_function_of_a_module_that_was_imported_before(cli):
    path = cli.file("app.py", "import textwrap\ntextwrap.dedent(' a')\n")
    assert cli.run("-f", "textwrap:dedent", path).err.startswith("dedent: 1 call\n")
    path = cli.file("app.py", "import os.path\nos.path.join('a', 'b')\n")
    for target in ("posixpath:join", "os.path:join", "os.path:joi?"):
        assert cli.run("-f", target, path).err.startswith("join: 1 call\n"), target


def test_generators_coroutines_and_recursion_are_counted_by_call(cli):
    path = cli.file(
        "app.py",
        "import asyncio\n"
        "def numbers(n):\n    for i in range(n): yield i\n"
        "async def step():\n    await asyncio.sleep(0)\n    await asyncio.sleep(0)\n"
        "def deep(n):\n    return n and deep(n - 1)\n"
        "list(numbers(5)); list(numbers(0)); numbers(3)\nasyncio.run(step())\ndeep(9)\n",
    )
    done = cli.run("-f", "app.py:numbers", "-f", "app.py:step", "-f", "app.py:deep", path)
    titles = [line for line in done.err.splitlines() if line.endswith((" call", " calls"))]
    assert titles == ["numbers: 2 calls", "step: 1 call", "deep: 10 calls"]


def test_module_run_as_main(cli):
    cli.file("app.py", "def f():\n    return bytearray(9)\nf()\n")
    for target in ("app:f", "__main__:f", "app.py:f"):
        assert cli.run("-f", target, "-m", "app").err.startswith("f: 1 call\n"), target


def test_import_of_a_failing_module_looks_as_ever(cli):
    cli.file("broken.py", "def f(): pass\n1/0\n")
    path = cli.file("app.py", "import broken\n")
    done = cli.run("-f", "broken:f", path)
    assert done.err.startswith(cli.python(path).err)
    assert done.code == 1


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("app.py:wrk", "there is no function wrk in {app}; did you mean app.py:work?"),
        ("app.py:Box.fil", "there is no function Box.fil in {app}; did you mean app.py:Box.fill or app.py:Box.outer?"),
        ("__main__:wor", "there is no function wor in __main__; did you mean __main__:work?"),
        ("othr:helper", "there is no module othr; did you mean other?"),
        ("other:helpr", "there is no function helpr in other; did you mean other:helper?"),
        ("other:zzz", "there is no function zzz in other; did you mean other:helper or other:numbers?"),
        ("nosuch.py:f", "cannot read {folder}/nosuch.py: No such file or directory"),
        ("othr.py:f", "cannot read {folder}/othr.py: No such file or directory; did you mean other.py:f?"),
        ("math:sqrt", "math is not written in Python; pass a Python function that calls it"),
        (
            "work",
            "pass MODULE:QUALNAME or PATH.py:QUALNAME, such as json:loads, app.py:main or 'package.module:Class.*'",
        ),
    ],
)
def test_unknown_target(cli, target, message):
    path = cli.file("app.py", "print('ran')\n" + APP)
    cli.file("other.py", OTHER)
    done = cli.run("-f", target, path)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"malloc-tracer: -f {target}: {message.format(app=path, folder=cli.folder)}\n"


def test_name_that_is_never_bound_to_a_function(cli):
    path = cli.file("app.py", "from other import helper\n")
    cli.file("other.py", "helper = 3\n")
    cli.file("again.py", "from other import helper\n")
    done = cli.run("-f", "again:helper", path)
    assert (done.code, done.err) == (0, "malloc-tracer: -f again:helper: the program never made such a function\n")


# @profile and Scope


JOINING = """\
import malloc_tracer

@malloc_tracer.profile
def load():
    return bytearray(100)  # load

for _ in range(100):
    with malloc_tracer.Scope("step") as scope:
        x = bytearray(10)  # step
load(); load()
print(hasattr(load, "profile"), scope.trace.allocated_count)
"""


def test_profiles_and_scopes_join(cli):
    path = cli.file("app.py", JOINING)
    done = cli.run("-f", "app.py:load", path)
    assert done.out == "True 3\n"
    titles = [line for line in done.err.splitlines() if line.endswith((" call", " calls", " called", " times"))]
    assert titles == ["load: 2 calls", "load: 2 calls", "Scope 'step': 100 times"]
    assert numbers(done.err, "# step")[2:] == [kib(100 * (array(10) + ARGUMENT)), "300"]
    # A file holds one trace, and a block counts once in it.
    assert cli.trace("-f", "app.py:load", path).allocated_count == 6
    done = cli.run(path)
    titles = [line for line in done.err.splitlines() if line.endswith((" process", " calls", " times"))]
    assert titles == [f"{path}: 1 process", "load: 2 calls", "Scope 'step': 100 times"]


def test_switched_off(cli):
    path = cli.file("app.py", JOINING)
    assert cli.python(path, MALLOC_TRACER="0").out == "False 0\n"
    assert cli.python(path, MALLOC_TRACER="1").out == "True 3\n"
    code = """\
import malloc_tracer
def f(): pass
assert malloc_tracer.profile(f) is f
assert malloc_tracer.profile(threads="all")(f) is f
p = property(f)
assert malloc_tracer.profile(p) is p
s = malloc_tracer.Scope("x")
with s as t: assert s is t
assert (s.trace.name, s.trace.allocated_count) == ("x", 0)
try: malloc_tracer.profile(f, threads="no")
except ValueError: pass
"""
    assert cli.python("-c", code, MALLOC_TRACER="0").err == ""


# Interruption


def heed_interrupts():
    """What a shell starts in the background ignores SIGINT, and its children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_control_c_reports_what_was_seen(cli):
    path = cli.file(
        "app.py",
        "import time\ndef work():\n    return bytearray(1000)  # work\n"
        # In short naps: a signal that comes after print has looked for one and before a sleep begins ends no sleep.
        "kept = work()\nprint('up', flush=True)\nfor _ in range(600): time.sleep(0.1)\n",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "malloc_tracer", "run", "-f", "app.py:work", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        cwd=cli.folder,
        preexec_fn=heed_interrupts,
    )
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt\nwork: 1 call\n" in err
    allocated = kib(array(1000) + ARGUMENT)
    assert numbers(err, "# work") == [kib(array(1000)), allocated, allocated, "3"]
    plain = subprocess.Popen(
        [sys.executable, path],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=heed_interrupts,
    )
    plain.stdout.readline()
    plain.send_signal(signal.SIGINT)
    assert process.returncode == plain.wait(timeout=30)
