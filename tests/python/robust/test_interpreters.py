"""Scopes in programs with several interpreters, with one GIL or each its own, and with greenlets."""

from __future__ import annotations

import pytest

from test_engine_process import program, python

INTERPRETERS = """
import threading
try:
    import _interpreters as interpreters
    kinds = {"shared": "legacy", "own": "isolated"}
    make = lambda kind: interpreters.create(kinds[kind])
except ImportError:
    import _xxsubinterpreters as interpreters
    make = lambda kind: interpreters.create(isolated=kind == "own")
def run(interpreter, code):
    failed = interpreters.run_string(interpreter, code)
    assert failed is None, failed
"""

NO_WARNING = ("-W", "ignore::DeprecationWarning")


def interpreters(code):
    return python(program(INTERPRETERS + code), *NO_WARNING)


# Code of the other interpreter: 1000 blocks that stay, each of a line of its own file name.
WORK = 'exec(compile("kept = []\\nfor i in range(1000):\\n kept.append(bytearray(999))", "work.py", "exec"))'


@pytest.mark.parametrize("kind", ["shared", "own"])
def test_another_interpreter_in_the_same_thread(kind):
    output = interpreters(f"""
other = make({kind!r})
run(other, "import sys")
handle.enter()
before = block()
run(other, {WORK!r})
after = block()
handle.leave()
data = check(result_of(handle))
line = next(line for line in data.lines if line.file == "work.py" and line.number == 3)
print(line.self.allocated_bytes >= 1000 * 1000, line.self.allocated_count >= 2000)
print([line.self.live_count for line in data.lines if line.function == "block"])
run(other, "kept.clear()")
interpreters.destroy(other)
print(nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK)
""")
    assert output == "True True\n[2]\nTrue\n"


@pytest.mark.parametrize("kind", ["shared", "own"])
def test_interpreters_that_come_and_go_inside_a_scope(kind):
    output = interpreters(f"""
handle.enter()
for _ in range(5):
    other = make({kind!r})
    run(other, {WORK!r})
    interpreters.destroy(other)
it = block()
handle.leave()
data = check(result_of(handle))
line = next(line for line in data.lines if line.file == "work.py" and line.number == 3)
print(line.self.allocated_count >= 5 * 2000, line.self.live_count)
print([line.self.live_count for line in data.lines if line.function == "block"])
print(nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK)
""")
    assert output == "True 0\n[1]\nTrue\n"


@pytest.mark.parametrize("kind", ["shared", "own"])
def test_interpreters_in_threads_at_once(kind):
    output = interpreters(f"""
others = [make({kind!r}) for _ in range(3)]
def works(other):
    for _ in range(5):
        run(other, {WORK!r})
threads = [threading.Thread(target=works, args=(other,)) for other in others]
handle.enter()
for thread in threads: thread.start()
kept = [block() for _ in range(1000)]
for thread in threads: thread.join()
handle.leave()
data = check(result_of(handle))
line = next(line for line in data.lines if line.file == "work.py" and line.number == 3)
print(line.self.allocated_count >= 15 * 2000)
print([(line.self.live_count, line.self.allocated_count) for line in data.lines if line.function == "block"])
for other in others: interpreters.destroy(other)
print(nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK)
""")
    assert output == "True\n[(1000, 1000)]\nTrue\n"


# 200,000 blocks in line 5, of which 10,000 stay.
EXACT = """
for _ in range(10):
 rows = [None] * 20_000
 for i in range(20_000):
  rows[i] = b"x" * size
 for i in range(0, 20_000, 2):
  rows[i] = None
"""


@pytest.mark.parametrize("kind", ["shared", "own"])
def test_interpreters_that_allocate_in_parallel_give_exact_sums(kind):
    """With a GIL each they are in the accounting at once, and the main interpreter with them."""
    output = interpreters(f"""
size, exact = 100, {EXACT!r}
others = [make({kind!r}) for _ in range(2)]
for other in others: run(other, f"size, code = {{size}}, compile({{exact!r}}, 'exact.py', 'exec')")
together = threading.Barrier(3)
def works(other):
    together.wait()
    run(other, "exec(code)")
threads = [threading.Thread(target=works, args=(other,)) for other in others]
for thread in threads: thread.start()
code = compile(exact, "exact.py", "exec")
handle.enter()
together.wait()
exec(code)
for thread in threads: thread.join()
handle.leave()
data = check(result_of(handle))
line = nonzero(next(line for line in data.lines if (line.file, line.number) == ("exact.py", 5)).self)
per_block = b"".__sizeof__() + size
print(line["allocated_count"], line["allocated_bytes"] == 600_000 * per_block)
print(line["live_count"], line["live_bytes"] == 30_000 * per_block)
print(line["freed_count"], line["freed_bytes"] == 570_000 * per_block)
run(others[0], "rows.clear()")
interpreters.destroy(others[0])
interpreters.destroy(others[1])
""")
    assert output == "600000 True\n30000 True\n570000 True\n"


# What dies here goes to lists of the interpreter's own, which our deallocators and the collector's watch empty.
FREE_LISTS = """
import gc
s = list(range(10))
def works():
    for i in range(400_000):
        d = {i: 1, "a": 2}
        d = {}
        s[0:3], s[i % 7:8]
        x = [i]
        if i % 2000 == 0: gc.collect()
works()
"""


@pytest.mark.parametrize("kind", ["shared", "own"])
def test_interpreters_that_use_their_free_lists_in_parallel(kind):
    output = interpreters(f"""
code = {FREE_LISTS!r}
others = [make({kind!r}) for _ in range(2)]
threads = [threading.Thread(target=run, args=(other, code)) for other in others]
handle.enter()
for thread in threads: thread.start()
exec(code)
for thread in threads: thread.join()
handle.leave()
check(result_of(handle))
for other in others: interpreters.destroy(other)
print("end")
""")
    assert output == "end\n"


@pytest.mark.parametrize("kind", ["shared", "own"])
def test_the_other_interpreter_is_there_when_python_ends_with_a_scope_open(kind):
    output = interpreters(f"""
import warnings
warnings.simplefilter("ignore")  # from 3.14 on Python warns of what is still there
other = make({kind!r})
run(other, {WORK!r})
handle.enter()
run(other, {WORK!r})
interpreters.destroy(other)
another = make({kind!r})
print("end")
""")
    assert output == "end\n"


def test_gevent_switches_inside_a_scope():
    pytest.importorskip("gevent")
    output = python(
        program("""
        import gevent, gevent.pool
        kept = []
        def job(i):
            for _ in range(20):
                kept.append(block())
                gevent.sleep(0)
        gevent.spawn(job, 0).join()
        kept.clear()
        handle.enter()
        gevent.joinall([gevent.spawn(job, i) for i in range(20)])
        handle.leave()
        data = check(result_of(handle))
        line = next(line for line in data.lines if line.function == "block")
        print(line.self.live_count, line.self.live_bytes == 400 * ONE_BLOCK["live_bytes"])
        from engine import nodes, path_of
        print({tuple(path_of(node))[-2:] for node in nodes(data) if node.frame.function == "block"})
        """),
        *NO_WARNING,
    )
    assert output == "400 True\n{('job', 'block')}\n"


def test_gevent_with_everything_patched():
    """Threads, locks and sleeps are gevent's; the scope's own frame is a greenlet that others interrupt."""
    pytest.importorskip("gevent")
    output = python(
        "from gevent import monkey; monkey.patch_all()\n"
        + program("""
        import threading, time, queue
        todo, kept = queue.Queue(), []
        def worker():
            while todo.get() is not None:
                kept.append(block())
                time.sleep(0)
        threads = [threading.Thread(target=worker) for _ in range(5)]
        def run():
            for thread in threads: thread.start()
            for i in range(100): todo.put(i)
            for _ in threads: todo.put(None)
            for thread in threads: thread.join()
        data, _ = trace_call(run)
        print([line.self.live_count for line in check(data).lines if line.function == "block"])
        """),
        *NO_WARNING,
    )
    assert output == "[100]\n"


def test_a_greenlet_that_is_killed_and_one_that_dies_with_its_thread():
    pytest.importorskip("greenlet")
    output = python(
        program("""
        import greenlet, threading
        main = greenlet.getcurrent()
        kept = []
        def deep(n):
            if n: return deep(n - 1)
            kept.append(block())
            greenlet.getcurrent().parent.switch()
        def in_thread():
            green = greenlet.greenlet(deep)
            green.switch(50)
            kept.append(block())
        def run():
            for i in range(20):
                green = greenlet.greenlet(deep)
                green.switch(i)
                kept.append(block())
                del green  # GreenletExit through the suspended frames
                kept.append(block())
                thread = threading.Thread(target=in_thread)
                thread.start()
                thread.join()
        data, _ = trace_call(run)
        print([line.self.live_count for line in check(data).lines if line.function == "block"])
        """)
    )
    assert output == "[100]\n"


def test_asyncio_tasks_with_contexts_timeouts_and_cancellation():
    output = python(
        program("""
        import asyncio, contextvars
        kept, variable = [], contextvars.ContextVar("variable")
        async def job(i):
            variable.set(i)
            for _ in range(10):
                kept.append(block())
                await asyncio.sleep(0)
                assert variable.get() == i
        async def stuck():
            try:
                await asyncio.sleep(1000)
            finally:
                kept.append(block())
        async def main():
            jobs = [job(i) for i in range(20)]
            if sys.version_info < (3, 11):  # without groups and timeouts
                await asyncio.gather(*jobs)
            else:
                async with asyncio.TaskGroup() as group:
                    for each in jobs: group.create_task(each)
            task = asyncio.create_task(stuck())
            await asyncio.sleep(0)
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                kept.append(block())
            try:
                if sys.version_info < (3, 11):
                    await asyncio.wait_for(stuck(), 0.01)
                async with asyncio.timeout(0): await stuck()
            except (TimeoutError, asyncio.TimeoutError):
                pass
            await asyncio.to_thread(lambda: kept.append(block()))
        asyncio.run(asyncio.to_thread(block))  # free-threaded, a second thread runs a copy of the instructions
        data, _ = trace_call(lambda: asyncio.run(main()))
        print([line.self.live_count for line in check(data).lines if line.function == "block"])
        """)
    )
    assert output == "[204]\n"
