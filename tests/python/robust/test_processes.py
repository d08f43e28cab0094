"""Everything that a program may do with processes while a scope is open."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import textwrap
from pathlib import Path

import pytest

from engine import compiler
from test_engine_process import ENVIRONMENT, program, python

NO_WARNING = ("-W", "ignore::DeprecationWarning")  # 3.12 warns of a fork beside threads


@pytest.mark.parametrize(
    ("end", "rc"),
    [("os.abort()", -signal.SIGABRT), ("os.kill(os.getpid(), 9)", -signal.SIGKILL)],
)
@pytest.mark.parametrize("how", ["handle.enter()", "handle.attach(block)"])
def test_a_violent_end_with_a_scope_open(how, end, rc):
    assert python(program(f"{how}\nit = [block() for _ in range(100)]\nprint('end', flush=True)\n{end}"), rc=rc) == (
        "end\n"
    )


def test_exec_inside_a_scope():
    code = "handle.enter()\nit = block()\nos.execv(sys.executable, [sys.executable, '-c', 'print(3)'])"
    assert python(program(code)) == "3\n"


def test_a_fork_while_other_threads_open_read_and_close_scopes():
    """The engine's locks are held much of the time, and by threads that the child does not have."""
    output = python(
        program("""
        import threading
        sys.setswitchinterval(1e-4)  # or the main thread waits for most of the test's time
        stop = False
        def busy():
            while not stop:
                mine = _engine.ScopeHandle("busy", True)
                mine.enter()
                it = [[i] for i in range(50)]
                result_of(mine)
                mine.leave()
        threads = [threading.Thread(target=busy) for _ in range(3)]
        for thread in threads: thread.start()
        codes = []
        for _ in range(100):
            pid = os.fork()
            if pid == 0:
                data, it = trace_call(block)
                os._exit(0 if nonzero(check(data).sum) == ONE_BLOCK else 3)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        stop = True
        for thread in threads: thread.join()
        print(codes == [0] * 100, nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK)
        """),
        *NO_WARNING,
    )
    assert output == "True True\n"


def test_a_fork_by_a_thread_that_is_not_the_main_one():
    output = python(
        program("""
        import threading
        def forks():
            pid = os.fork()
            if pid == 0:
                data, it = trace_call(block)
                os._exit(0 if nonzero(check(data).sum) == ONE_BLOCK else 3)
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        codes = []
        handle.enter()
        for _ in range(5):
            thread = threading.Thread(target=forks)
            thread.start()
            thread.join()
        it = block()
        handle.leave()
        line = next(line for line in check(result_of(handle)).lines if line.function == "block")
        # Its share of the peak is left open: threads' stacks may have made the peak before.
        print(codes, (line.self.live_bytes, line.self.live_count) == (ONE_BLOCK["live_bytes"], 1))
        """),
        *NO_WARNING,
    )
    assert output == "[0, 0, 0, 0, 0] True\n"


def test_a_child_that_calls_a_watched_function_of_its_parent():
    output = python(
        program("""
        handle.attach(block)
        first = block()
        pid = os.fork()
        if pid == 0:
            mine = [block() for _ in range(10)]
            os._exit(0 if nonzero(result_of(handle).sum) == {} else 3)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(code, nonzero(check(result_of(handle)).sum) == ONE_BLOCK)
        """)
    )
    assert output == "0 True\n"


def test_a_child_that_goes_on_as_a_program_and_ends_by_itself():
    """It frees the parent's blocks, runs atexit functions, and finalizes with the inherited handle alive."""
    output = python(
        program("""
        import atexit
        handle.enter()
        it = [block() for _ in range(100)]
        pid = os.fork()
        if pid == 0:
            atexit.register(lambda: print("child", nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK))
            del it
            more = [block() for _ in range(100)]
            sys.exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
        """)
    )
    assert output == "child True\n0\n"


@pytest.mark.parametrize(
    "start",
    [
        "subprocess.run(command, stdout=2, close_fds=False)",
        "subprocess.run(command, stdout=2, preexec_fn=lambda: None)",
        "subprocess.run(command, stdout=2, start_new_session=True)",
        "os.waitpid(os.posix_spawn(command[0], command, os.environ), 0)",
        "os.system(' '.join(command))",
        "os.popen(' '.join(command)).read()",
    ],
)
def test_ways_to_start_a_program_from_several_threads(start):
    output = python(
        program(f"""
        import subprocess, threading
        command = ["/bin/true"]
        kept = []
        def runs():
            for _ in range(5):
                {start}
                kept.append(block())
        threads = [threading.Thread(target=runs) for _ in range(3)]
        handle.enter()
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        handle.leave()
        line = next(line for line in check(result_of(handle)).lines if line.function == "block")
        print(line.self.live_count, line.self.live_bytes == 15 * ONE_BLOCK["live_bytes"])
        """),
        *NO_WARNING,
    )
    assert output == "15 True\n"


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_process_pool_inside_a_scope(tmp_path, method):
    """Its queues have threads of their own, which outlive each call."""
    script = tmp_path / "main.py"
    script.write_text(
        program("""
        import concurrent.futures, multiprocessing
        def traced(_):
            return nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK
        if __name__ == "__main__":
            handle.enter()
            context = multiprocessing.get_context(sys.argv[1])
            with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
                results = list(pool.map(traced, range(6)))
            handle.leave()
            check(result_of(handle))
            print(results == [True] * 6)
        """)
    )
    done = subprocess.run(
        [sys.executable, *NO_WARNING, script, method], capture_output=True, text=True, env=ENVIRONMENT, timeout=30
    )
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "True\n")


EMBEDDING = r"""
#include <Python.h>
#include <stdlib.h>
#include <string.h>

/* Each argument is a program for an interpreter of its own, one after the other in one process. */
int main(int count, char** programs) {
  for (int i = 1; i < count; i++) {
    Py_Initialize();
    int failed = PyRun_SimpleString(programs[i]);
    if (Py_FinalizeEx() != 0 || failed) return 3;
    /* Python's allocators and malloc work as before without it. */
    void* p = PyMem_RawMalloc(1000);
    void* q = malloc(1000);
    if (p == NULL || q == NULL) return 4;
    memset(p, 1, 1000);
    PyMem_RawFree(p);
    free(q);
  }
  return 0;
}
"""


@pytest.fixture(scope="module")
def embedding(tmp_path_factory):
    """A program with an embedded Python that runs the Python programs it is given."""
    folder = tmp_path_factory.mktemp("embedding")
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    libraries = sysconfig.get_config_var("LIBDIR")
    if not Path(libraries, f"lib{version}.so").exists():
        pytest.skip("needs a Python with a shared library")
    (folder / "embedding.c").write_text(EMBEDDING)
    include = f"-I{sysconfig.get_path('include')}"
    link = [f"-L{libraries}", f"-Wl,-rpath,{libraries}", f"-l{version}"]
    command = [compiler("cc", "gcc", "clang"), "-w", include, "embedding.c", "-o", "embedding", *link]
    subprocess.run(command, cwd=folder, check=True)

    def run(*programs):
        path = os.pathsep.join([ENVIRONMENT["PYTHONPATH"], *(each for each in sys.path if "site-packages" in each)])
        environment = {**ENVIRONMENT, "PYTHONPATH": path, "PYTHONHOME": sys.base_prefix}
        done = subprocess.run(
            [folder / "embedding", *map(textwrap.dedent, programs)],
            capture_output=True, text=True, env=environment, timeout=30,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout
        return done.stdout

    return run


TRACES = "print(nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK, flush=True)"


def test_a_program_that_embeds_python(embedding):
    assert embedding(program(TRACES)) == "True\n"


@pytest.mark.parametrize("how", ["handle.enter()", "handle.attach(block)"])
def test_an_embedding_program_finalizes_python_with_a_scope_open(embedding, how):
    assert embedding(program(f"{how}\nit = [block() for _ in range(10)]\n{TRACES}")) == "True\n"


def test_python_begins_again_in_an_embedding_program_that_was_traced(embedding):
    assert (
        embedding(program(f"handle.enter()\n{TRACES}"), "print([[i] for i in range(3)])") == "True\n[[0], [1], [2]]\n"
    )
