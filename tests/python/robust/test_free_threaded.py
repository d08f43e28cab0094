"""Free-threaded CPython: threads that run Python at the same time, and still every block on its line."""

from __future__ import annotations

import gc
import os
import sys
import threading

import pytest

import malloc_tracer
from engine import check, own_lines, paths, trace_block, trace_call
from malloc_tracer import _engine

pytestmark = pytest.mark.skipif(getattr(sys, "_is_gil_enabled", lambda: True)(), reason="needs a free-threaded build")

THREADS = 4 * (os.cpu_count() or 1)
HEAD = b"".__sizeof__()
FLOAT = sys.getsizeof(0.5)


def at_once(work, threads=THREADS):
    """Calls work(number) in so many threads, which all begin when the last one is there; raises what one raised."""
    barrier = threading.Barrier(threads)
    errors = []

    def run(number):
        try:
            barrier.wait()
            work(number)
        except BaseException as error:
            errors.append(error)

    all_ = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in all_:
        thread.start()
    for thread in all_:
        thread.join()
    if errors:
        raise errors[0]


def test_importing_leaves_the_gil_off(python):
    folder = os.path.dirname(os.path.dirname(malloc_tracer.__file__))
    code = (
        f"import sys; sys.path.insert(0, {folder!r}); import malloc_tracer as m; m.Scope; print(sys._is_gil_enabled())"
    )
    assert python("-W", "error", "-c", code) == "False\n"


KEPT, ROUNDS = 50, 2_000


def keep_and_drop(size, keep):
    for i in range(ROUNDS):
        block = b"x" * size
        if i < KEPT:
            keep.append(block)
    del block


def test_threads_at_once_lose_and_invent_nothing():
    kept = [[] for _ in range(THREADS)]
    data, _ = trace_block(lambda: at_once(lambda number: keep_and_drop(1000 + number, kept[number])))
    line = own_lines(check(data), keep_and_drop)[2].self
    sizes = [1000 + number + HEAD for number in range(THREADS)]
    assert (line.live_count, line.live_bytes) == (THREADS * KEPT, KEPT * sum(sizes))
    assert (line.allocated_count, line.allocated_bytes) == (THREADS * ROUNDS, ROUNDS * sum(sizes))
    in_threads = [thread for thread in data.threads if thread.self.live_count >= KEPT]
    assert len(in_threads) == THREADS


def make_floats(keep):
    for i in range(100):
        keep.append(i + 0.5)


@pytest.mark.parametrize("before", [True, False])
def test_no_thread_takes_objects_from_its_free_lists(before):
    kept = []
    ready, go = threading.Barrier(2), threading.Barrier(2)

    def run():
        [i + 0.25 for i in range(200)]  # fills the lists of a thread that is there before the scope
        if before:
            ready.wait()
            go.wait()
        make_floats(kept)

    thread = threading.Thread(target=run)

    def body():
        if before:
            go.wait()
        else:
            thread.start()
        thread.join()

    if before:
        thread.start()
        ready.wait()
    data, _ = trace_block(body)
    line = own_lines(check(data), make_floats)[2].self
    assert line.live_bytes >= 100 * FLOAT
    assert line.live_count >= 100


def test_free_lists_are_on_again_when_the_last_scope_has_closed():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    trace_block(lambda: None)
    stop.set()
    thread.join()
    numbers = [float(i) + 0.5 for i in range(50)]
    before = sys.getallocatedblocks()
    del numbers  # each goes to the list, and stays a block
    assert before - sys.getallocatedblocks() < 50


def take_over(mine, theirs):
    for block in theirs:
        mine.append(len(block))
    theirs.clear()


def test_blocks_freed_by_other_threads_belong_to_the_line_that_made_them():
    made = [[] for _ in range(THREADS)]
    meet = threading.Barrier(THREADS)

    def work(number):
        keep_and_drop(1000 + number, made[number])
        meet.wait()
        take_over([], made[(number + 1) % THREADS])

    data, _ = trace_block(lambda: at_once(work))
    gc.collect()
    line = own_lines(check(data), keep_and_drop)[2].self
    assert line.allocated_count == THREADS * ROUNDS
    assert line.freed_count == line.allocated_count


SIZE = 500


def in_a_generator():
    while True:
        yield b"x" * SIZE


def test_a_generator_that_changes_threads_keeps_its_lines():
    generator = in_a_generator()
    kept = [next(generator)]

    def resume():
        kept.append(next(generator))

    def resume_elsewhere(times):
        for _ in range(times):
            thread = threading.Thread(target=resume)
            thread.start()
            thread.join()

    resume_elsewhere(1)  # a second thread runs a copy of the instructions, which stays
    data, _ = trace_block(lambda: resume_elsewhere(10))
    line = own_lines(check(data), in_a_generator)[2].self
    assert (line.live_count, line.live_bytes) == (10, 10 * (SIZE + HEAD))
    assert any(path.endswith("resume > in_a_generator") for path in paths(data))


CALLS = 300


def test_a_profiled_function_counts_calls_of_all_threads_at_once():
    @malloc_tracer.profile
    def profiled(size):
        return b"x" * size

    at_once(lambda number: [profiled(100) for _ in range(CALLS)] and None)
    trace = profiled.profile.trace()
    assert profiled.profile._handle.calls == THREADS * CALLS
    line = trace.line(__file__, profiled.__code__.co_firstlineno + 2).self
    assert (line.allocated_count, line.allocated_bytes) == (THREADS * CALLS, THREADS * CALLS * (100 + HEAD))


def test_scopes_and_profiles_come_and_go_in_all_threads_at_once():
    def work(number):
        size = 2000 + number
        for _ in range(30):
            handle = _engine.ScopeHandle("one of many", False)
            handle.enter()
            block = b"x" * size
            handle.leave()
            data = check(handle.peek("", [], {}, []))
            line = own_lines(data, work)[5].self
            assert (line.live_count, line.live_bytes) == (1, size + HEAD)
            del block

            def target():
                return b"x" * SIZE

            data, _ = trace_call(target, all_threads=False)
            assert own_lines(check(data), target)[1].self.allocated_count == 1

    at_once(work)


def test_one_result_is_asked_for_by_all_threads_while_its_scope_ends():
    handle = _engine.ScopeHandle("shared", True)
    handle.enter()
    kept = bytes(5000)

    def work(number):
        for _ in range(20):
            check(handle.peek("", [], {}, []))
            if number == 0:
                handle.end()

    at_once(work)
    assert not handle.is_open
    assert check(handle.peek("", [], {}, [])).sum.live_bytes >= len(kept)
