"""`malloc-tracer run --children`: every way a Python program has Python children."""

import pytest

from command_line import CommandLine, numbers
from sizes import ARGUMENT, array


@pytest.fixture
def cli(tmp_path):
    return CommandLine(tmp_path)


PROGRAM = """\
import multiprocessing, os, subprocess, sys

def work(n):
    return len(bytearray(n))  # work

if __name__ == "__main__":
    way = sys.argv[1]
    if way == "fork":
        if os.fork() == 0:
            work(10)
            sys.exit(0)
        os.wait()
    elif way == "exit":
        if os.fork() == 0:
            work(10)
            os._exit(0)
        os.wait()
    elif way == "threads":
        import threading
        def fork():
            if os.fork() == 0:
                work(10)
                os._exit(0)
            os.wait()
        thread = threading.Thread(target=fork)
        thread.start()
        thread.join()
    elif way == "import":
        subprocess.run([sys.executable, "-c", "import program; program.work(10)"], check=True)
    elif way == "script":
        subprocess.run([sys.executable, __file__, "leaf"], check=True)
    elif way == "nested":
        subprocess.run([sys.executable, __file__, "exit"], check=True)
    elif way == "leaf":
        work(10)
    else:
        multiprocessing.set_start_method(way.removesuffix("-pool"))
        if way.endswith("-pool"):
            with multiprocessing.Pool(1) as pool:
                pool.map(work, [10])
        else:
            process = multiprocessing.Process(target=work, args=(10,))
            process.start()
            process.join()
            assert process.exitcode == 0
    print("done")
"""
WAYS = ["fork", "exit", "threads", "import", "script", "nested", "spawn", "forkserver"]
POOLS = ["fork-pool", "spawn-pool", "forkserver-pool"]


@pytest.mark.parametrize("way", [*WAYS, *POOLS])
def test_function_in_a_child(cli, way):
    path = cli.file("program.py", PROGRAM)
    # From 3.12 on Python warns of a fork in a program with threads.
    done = cli.run("--children", "-f", "program.py:work", path, way, PYTHONWARNINGS="ignore")
    assert (done.code, done.out.splitlines()[-1]) == (0, "done")
    # One call, in the child; the parent has made none. 10 + 1 bytes, the object, and the argument tuple.
    assert done.err.splitlines()[0] == "work: 1 call", done.err
    assert numbers(done.err, "# work")[2:] == [f"{array(10) + ARGUMENT} B", "3"]


@pytest.mark.parametrize("target", ["__main__:work", "program.py:wor*"])
def test_target_of_main_in_a_spawned_child(cli, target):
    path = cli.file("program.py", PROGRAM)
    done = cli.run("--children", "-f", target, path, "spawn")
    assert done.err.splitlines()[0] == "work: 1 call"


@pytest.mark.parametrize("way", WAYS)
def test_whole_program_with_its_children(cli, way):
    path = cli.file("program.py", PROGRAM)
    done = cli.run("--children", path, way, PYTHONWARNINGS="ignore")
    processes = 3 if way == "nested" else 2
    assert done.err.splitlines()[0] == f"{path}: {processes} processes", done.err
    assert numbers(done.err, "# work")[2:] == [f"{array(10) + ARGUMENT} B", "3"]


def test_without_children_a_child_is_not_reported_and_reports_nothing(cli):
    path = cli.file("program.py", PROGRAM)
    for way in ("fork", "exit", "import", "script", "spawn"):
        done = cli.run("-f", "program.py:work", path, way)
        assert done.code == 0
        assert done.err == "work: never called\n\n", way


def test_profiles_and_scopes_of_children_join(cli):
    path = cli.file(
        "app.py",
        "import malloc_tracer, os\n"
        "@malloc_tracer.profile\n"
        "def load():\n    return bytearray(100)  # load\n"
        "load()\n"
        "if os.fork() == 0:\n    load()\n    with malloc_tracer.Scope('s'): x = bytearray(10)\n    os._exit(0)\n"
        "os.wait()\n",
    )
    done = cli.run("--children", "-f", "app.py:load", path)
    titles = [line for line in done.err.splitlines() if line.endswith((" call", " calls", " time"))]
    assert titles == ["load: 2 calls", "load: 2 calls", "Scope 's': 1 time"]


def test_child_keeps_its_own_sitecustomize_and_path(cli):
    cli.file("site/sitecustomize.py", "import builtins\nbuiltins.customized = 'yes'\n")
    show = "import sys, sitecustomize; print(customized, sitecustomize.__file__, sys.path)"
    path = cli.file("app.py", f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {show!r}], check=True)\n")
    import os

    folders = os.pathsep.join([str(cli.folder / "site"), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    expected = cli.python(path, PYTHONPATH=folders)
    assert expected.out.startswith("yes ")
    assert cli.run("--children", path, PYTHONPATH=folders).out == expected.out


def test_child_that_dies_of_a_signal_keeps_its_exit_code(cli):
    path = cli.file(
        "app.py",
        "import os, signal, time\n"
        "pid = os.fork()\n"
        "if pid == 0:\n    kept = bytearray(10)\n    os.kill(os.getpid(), signal.SIGTERM)\n    time.sleep(60)\n"
        "print(os.waitpid(pid, 0)[1])\n",
    )
    done = cli.run("--children", path)
    assert (done.out, done.err.splitlines()[0]) == ("15\n", f"{path}: 2 processes")
