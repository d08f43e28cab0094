"""Scopes and what happens to a process: fork, children, exits, other allocators, tracemalloc."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import tracemalloc
from pathlib import Path

import pytest

from engine import check, kept, nonzero, own_lines, result_of, trace_block, trace_call
from malloc_tracer import _engine
from sizes import FREE_THREADED

HEAD = b"".__sizeof__()
SIZE = 50_000
HERE = str(Path(__file__).parent)
# Python would set PYTHONPATH aside with -I or -E; none of these tests uses them.
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([HERE, str(Path(_engine.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]),
}


def block():
    size = SIZE
    return b"x" * size


ONE_BLOCK = kept(1, SIZE + HEAD)


def python(code, *options, rc=0, **environment):
    """Runs a program in an interpreter of its own: what it printed. It says nothing on stderr."""
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, **environment},
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (rc, ""), done.stderr + done.stdout
    return done.stdout


PROLOGUE = """
import os, sys
from engine import check, lost, nonzero, result_of, trace_block, trace_call
from malloc_tracer import _engine
from test_engine_process import block, ONE_BLOCK
handle = _engine.ScopeHandle("open", True)
"""


def program(code):
    return PROLOGUE + textwrap.dedent(code)


# Fork


def in_child(body):
    """Whether body() is true in a forked child, which leaves by os._exit."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if body() else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def a_forked_childs_scope_is_inert():
    handle = _engine.ScopeHandle("parent", True)
    handle.enter()

    def child():
        mine = block()
        handle.leave()
        return not handle.is_open and nonzero(result_of(handle).sum) == {}

    fine = in_child(child)
    it = block()
    handle.leave()
    data = check(result_of(handle))
    assert fine
    line = own_lines(data, block)[2].self
    assert nonzero(line) == ONE_BLOCK  # the child's block is its own affair
    del it


def a_forked_child_may_open_its_own():
    def child():
        for _ in range(3):
            data, it = trace_call(block)
            if nonzero(check(data).sum) != ONE_BLOCK:
                return False
        data, it = trace_block(lambda: [block() for _ in range(10)])
        return own_lines(check(data), block)[2].self.live_count == 10

    handle = _engine.ScopeHandle("parent", True)
    handle.enter()
    inside = in_child(child)
    handle.leave()
    assert inside
    assert in_child(child)
    assert nonzero(trace_call(block)[0].sum) == ONE_BLOCK


def a_grandchild_and_its_siblings():
    def child():
        return all(in_child(lambda: nonzero(trace_call(block)[0].sum) == ONE_BLOCK) for _ in range(3))

    data, fine = trace_block(lambda: in_child(child))
    assert fine
    check(data)


FORKS = [a_forked_childs_scope_is_inert, a_forked_child_may_open_its_own, a_grandchild_and_its_siblings]


@pytest.mark.parametrize(
    "before", ["", "import numpy", "import malloc_tracer, numpy"], ids=lambda code: code or "alone"
)
@pytest.mark.parametrize("forks", FORKS, ids=lambda forks: forks.__name__)
def test_fork(forks, before):
    """In an interpreter of its own; numpy's BLAS ends its threads at a fork."""
    if "numpy" in before:
        pytest.importorskip("numpy")
    code = f"{before}\nimport test_engine_process as t\nt.{forks.__name__}()"
    python(code, "-W", "ignore::DeprecationWarning")


def test_fork_with_other_threads_busy():
    print_ = python(
        program("""
        import threading, time
        stop = False
        def busy():
            while not stop:
                [bytearray(100) for _ in range(100)]
        threads = [threading.Thread(target=busy) for _ in range(3)]
        handle.enter()
        for thread in threads: thread.start()
        codes = []
        for _ in range(20):
            pid = os.fork()
            if pid == 0:
                data, it = trace_call(block)
                os._exit(0 if nonzero(check(data).sum) == ONE_BLOCK else 3)
            codes.append(os.waitpid(pid, 0)[1])
        stop = True
        for thread in threads: thread.join()
        handle.leave()
        check(result_of(handle))
        print(codes == [0] * 20)
        """),
        "-W",
        "ignore::DeprecationWarning",
    )
    assert print_ == "True\n"


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_inside_a_scope(tmp_path, method):
    script = tmp_path / "main.py"
    script.write_text(
        program("""
        import multiprocessing
        def traced(_):
            data, it = trace_call(block)
            return nonzero(check(data).sum) == ONE_BLOCK
        if __name__ == "__main__":
            context = multiprocessing.get_context(sys.argv[1])
            handle.enter()
            with context.Pool(2) as pool:
                results = pool.map(traced, range(6))
            it = block()
            handle.leave()
            line = [line for line in check(result_of(handle)).lines if line.function == "block"]
            print(results == [True] * 6, [(each.self.live_bytes, each.self.live_count) for each in line])
        """)
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", script, method],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=20,
    )  # fmt: skip
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"True [({SIZE + HEAD}, 1)]\n")


def test_a_subprocess_inside_a_scope():
    def run():
        return subprocess.run([sys.executable, "-c", "print(2)"], capture_output=True, text=True).stdout, block()

    data, (output, _) = trace_block(run)
    assert output == "2\n"
    line = own_lines(check(data), block)[2].self
    assert (line.live_bytes, line.live_count) == (SIZE + HEAD, 1)


@pytest.mark.parametrize(
    "module", ["multiprocessing.pool", "asyncio", "wsgiref.simple_server", "xmlrpc.client", "numpy", "pandas"]
)
def test_importing_inside_a_scope(module):
    if module in ("numpy", "pandas"):
        pytest.importorskip(module)
    output = python(
        program(f"""
        handle.enter()
        import {module}
        handle.leave()
        print(check(result_of(handle)).sum.allocated_count > 100)
        """)
    )
    assert output == "True\n"


# Exits


@pytest.mark.parametrize(
    ("end", "rc"),
    [("pass", 0), ("sys.exit(0)", 0), ("sys.exit(7)", 7), ("os._exit(0)", 0), ("os._exit(9)", 9)],
)
@pytest.mark.parametrize("how", ["handle.enter()", "handle.attach(block)", "handle.attach(block, True)"])
def test_a_scope_that_is_open_when_the_process_ends(how, end, rc):
    output = python(program(f"{how}\nit = [block() for _ in range(100)]\nprint('end', flush=True)\n{end}"), rc=rc)
    assert output == "end\n"


@pytest.mark.parametrize("listed", ["None", "leaves"])
def test_sys_exit_inside_a_traced_call(listed):
    output = python(
        program(f"""
        def leaves():
            it = block()
            sys.exit(5)
        try:
            handle.run(leaves, (), None, {listed})
        finally:
            print(handle.is_open, check(result_of(handle)).sum.allocated_bytes >= {SIZE})
        """),
        rc=5,
    )
    assert output == "False True\n"


def test_exit_in_the_middle_of_a_traced_call():
    assert python(program("handle.run(os._exit, (4,), None, None)"), rc=4) == ""


def test_a_daemon_thread_is_at_work_when_the_interpreter_ends():
    output = python(
        program("""
        import threading
        def busy():
            while True:
                [bytearray(100) for _ in range(100)]
        for _ in range(3): threading.Thread(target=busy, daemon=True).start()
        handle.enter()
        it = [block() for _ in range(100)]
        print("end")
        """)
    )
    assert output == "end\n"


def test_a_scope_in_an_atexit_function():
    output = python(
        program("""
        import atexit
        def last():
            data, it = trace_call(block)
            print(nonzero(check(data).sum) == ONE_BLOCK)
        atexit.register(last)
        """)
    )
    assert output == "True\n"


def test_a_scope_handle_that_dies_open():
    output = python(
        program("""
        handle.enter()
        del handle
        data, it = trace_call(block)
        print(nonzero(check(data).sum) == ONE_BLOCK)
        """)
    )
    assert output == "True\n"


@pytest.mark.parametrize("container", ["[handle]", "{1: handle}", "(handle,)", "slice(handle)", "[[{1: handle}]]"])
def test_a_container_that_holds_the_last_handle_dies(container):
    output = python(
        program(f"""
        handle.enter()
        container = {container}
        del handle
        del container
        data, it = trace_call(block)
        print(nonzero(check(data).sum) == ONE_BLOCK)
        """)
    )
    assert output == "True\n"


# Allocators


def mixed():
    rows = [[i, str(i), {i: (i, HALF * i)}] for i in range(200)]
    text = "".join(row[1] for row in rows)
    rows.append(bytearray(SIZE))
    rows.append(text.encode())
    del rows[50:100]
    return rows


HALF = 0.5


def mixed_numbers():
    """One run's numbers as text, for comparison between processes."""
    for _ in range(2):
        mixed()
    data, it = trace_call(mixed)
    check(data)
    return {
        "sum": nonzero(data.sum),
        "lines": {at: nonzero(line.self) for at, line in own_lines(data, mixed).items()},
        "allocators": sorted(item.name for item in data.allocators),
    }


MIXED = "import json, test_engine_process as t; print(json.dumps(t.mixed_numbers()))"


@pytest.fixture(scope="module")
def under_pymalloc():
    return json.loads(python(MIXED))


ALLOCATORS = ["malloc", "malloc_debug", "pymalloc_debug", "pymalloc"]
if FREE_THREADED:
    ALLOCATORS = ["mimalloc", "mimalloc_debug"]


@pytest.mark.parametrize("name", ["debug", *ALLOCATORS])
def test_other_allocators_give_the_same_counts(under_pymalloc, name):
    assert json.loads(python(MIXED, PYTHONMALLOC=name)) == under_pymalloc


def test_development_mode_gives_the_same_counts(under_pymalloc):
    assert json.loads(python(MIXED, "-X", "dev")) == under_pymalloc


def test_optimized_mode_gives_the_same_counts(under_pymalloc):
    assert json.loads(python(MIXED, "-OO")) == under_pymalloc


# tracemalloc


@pytest.fixture
def no_tracemalloc():
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("no_tracemalloc")
@pytest.mark.parametrize("frames", [1, 25])
def test_tracemalloc_started_before_the_scope(frames):
    tracemalloc.start(frames)
    data, it = trace_call(block)
    assert nonzero(check(data).sum) == ONE_BLOCK
    assert tracemalloc.get_object_traceback(it) is not None
    assert nonzero(trace_call(block)[0].sum) == ONE_BLOCK


@pytest.mark.usefixtures("no_tracemalloc")
def test_tracemalloc_started_before_the_scope_and_stopped_inside():
    tracemalloc.start()

    def run():
        before = block()
        tracemalloc.stop()
        after = block()
        return before, after

    data, it = trace_block(run)
    # Stopping takes away the hooks above tracemalloc's, ours; pymalloc asks malloc for large blocks, mimalloc does not.
    assert nonzero(own_lines(check(data), block)[2].self) == kept(1 if FREE_THREADED else 2, SIZE + HEAD)
    assert not tracemalloc.is_tracing()
    del it
    assert nonzero(trace_call(block)[0].sum) == ONE_BLOCK


@pytest.mark.usefixtures("no_tracemalloc")
def test_tracemalloc_started_and_stopped_inside_the_scope():
    def run():
        before = block()
        tracemalloc.start()
        after = block()
        seen = tracemalloc.get_object_traceback(after)
        tracemalloc.stop()
        return before, after, block(), seen

    data, it = trace_block(run)
    assert it[3] is not None
    line = own_lines(check(data), block)[2].self
    assert 0 <= line.live_bytes - 3 * (SIZE + HEAD) < 1000  # the rest is tracemalloc's notes on the second block


@pytest.mark.usefixtures("no_tracemalloc")
def test_tracemalloc_started_inside_the_scope_runs_on_after_it():
    def run():
        tracemalloc.start()
        return block()

    data, it = trace_block(run)
    line = own_lines(check(data), block)[2].self
    assert 0 <= line.live_bytes - (SIZE + HEAD) < 1000  # the rest is tracemalloc's notes on it
    assert tracemalloc.is_tracing()
    after = block()
    assert tracemalloc.get_object_traceback(after) is not None
    again, it = trace_call(block)
    assert 0 <= check(again).sum.live_bytes - (SIZE + HEAD) < 1000
    tracemalloc.stop()
    assert nonzero(trace_call(block)[0].sum) == ONE_BLOCK
