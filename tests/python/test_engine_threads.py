"""Scopes in programs with threads, of Python and of C."""

from __future__ import annotations

import ctypes
import sys
import threading
from pathlib import Path

import pytest

from engine import (
    allocator,
    check,
    compiled,
    kept,
    named,
    native_helper,
    nodes,
    nonzero,
    numbers,
    own_lines,
    result_of,
    trace_block,
    trace_call,
)
from malloc_tracer import _engine
from sizes import FREE_THREADED


@pytest.fixture(scope="session")
def helper(tmp_path_factory):
    return native_helper(tmp_path_factory.mktemp("threads"))


class Worker:
    """A thread that was there before the scope, calls what it is told to call, and makes nothing itself in between."""

    def __init__(self):
        self.wake, self.done = threading.Semaphore(0), threading.Semaphore(0)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            self.wake.acquire()
            if self.job is None:
                return
            self.job()
            self.done.release()

    def call(self, job):
        self.job = job
        self.wake.release()
        self.done.acquire()

    def stop(self):
        self.job = None
        self.wake.release()
        self.thread.join()


@pytest.fixture
def worker():
    worker = Worker()
    worker.call(lambda: None)
    yield worker
    worker.stop()


BOX = [None]
SIZE = 50_000


def make():
    BOX[0] = b"x" * SIZE


def drop():
    BOX[0] = None


HEAD = b"".__sizeof__()


def made_in(data):
    """What `make` made, and in how many threads."""
    return [node for node in nodes(data) if node.frame.function == "make"]


@pytest.mark.parametrize("all_threads", [True, False])
def test_another_python_thread_counts_if_all_do(worker, all_threads):
    worker.call(make)
    worker.call(drop)
    data, _ = trace_block(lambda: worker.call(make), all_threads)
    worker.call(drop)
    line = own_lines(check(data), make).get(1)
    if not all_threads:
        assert line is None or nonzero(line.self) == {}
        assert len(data.threads) <= 1
        return
    assert nonzero(line.self) == kept(1, SIZE + HEAD)
    thread = next(thread for thread in data.threads if thread.id == worker.thread.native_id)
    assert thread.self.live_bytes >= SIZE + HEAD


def test_another_threads_path_begins_at_its_own_start(worker):
    data, _ = trace_block(lambda: worker.call(make))
    worker.call(drop)
    (node,) = made_in(check(data))
    names = []
    while node.parent is not None:
        names.append(node.frame.function)
        node = node.parent
    assert names[0] == "make"
    assert named("Worker._run") in names
    assert named("Worker.call") not in names


@pytest.mark.parametrize("all_threads", [True, False])
def test_frees_by_another_thread_are_charged_to_the_place_that_allocated(worker, all_threads):
    def run():
        make()
        worker.call(drop)

    run()
    data, _ = trace_block(run, all_threads)
    line = own_lines(check(data), make)[1].self
    assert (line.allocated_bytes, line.freed_bytes, line.live_count) == (SIZE + HEAD, SIZE + HEAD, 0)
    assert line.temporary_count == 0
    if not FREE_THREADED:  # where a thread that drops another's object notes it for that thread, in a block of its own
        assert 1 not in own_lines(data, drop) or own_lines(data, drop)[1].self.freed_bytes == 0


def test_frees_by_this_thread_of_another_threads_blocks(worker):
    def run():
        worker.call(make)
        drop()
        worker.call(lambda: None)  # free-threaded, an object is freed by the thread that made it, when that comes to it

    run()
    data, _ = trace_block(run)
    line = own_lines(check(data), make)[1].self
    assert (line.allocated_count, line.freed_count) == (1, 1)


@pytest.mark.parametrize("all_threads", [True, False])
def test_c_threads_that_malloc_without_python(helper, all_threads):
    def join():
        helper.join_threads(0, 0)

    helper.start_threads(1, 1, 320, 0)
    join()  # before 3.11 a first call makes its frame, a block like others
    helper.free_all(0, 0)
    helper.start_threads(4, 100, 320, 0)
    data, _ = trace_block(join, all_threads)
    helper.free_all(0, 0)
    if not all_threads:
        assert allocator(check(data), "malloc") == {}
        return
    assert allocator(check(data), "malloc") == kept(400, 320)
    native = [line for line in data.lines if line.file == "<native>"]
    assert [(line.number, nonzero(line.self)) for line in native] == [(0, kept(400, 320))]
    assert len([thread for thread in data.threads if thread.self.live_count == 100]) == 4


def test_eight_c_threads_at_once_lose_nothing(helper):
    helper.start_threads(8, 1000, 192, 0)
    data, _ = trace_block(lambda: helper.join_threads(0, 0))
    numbers_ = allocator(check(data), "malloc")
    assert (numbers_["allocated_count"], numbers_["allocated_bytes"]) == (8000, 8000 * 192)
    assert (numbers_["live_count"], numbers_["live_bytes"]) == (8000, 8000 * 192)
    assert sorted(thread.self.live_count for thread in data.threads if thread.self.live_bytes >= 192) == [1000] * 8
    after, _ = trace_block(lambda: helper.free_all(0, 0))
    assert allocator(check(after), "malloc") == {}


def test_eight_c_threads_that_free_what_they_made(helper):
    helper.start_threads(8, 1000, 192, 1)
    data, _ = trace_block(lambda: helper.join_threads(0, 0))
    numbers_ = allocator(check(data), "malloc")
    assert (numbers_["allocated_count"], numbers_["freed_count"]) == (8000, 8000)
    assert numbers_["freed_bytes"] == 8000 * 192
    assert numbers_["peak_count"] <= 8000


def test_threads_started_inside_the_scope(helper):
    def run():
        helper.run_threads(8, 192)

    run()
    helper.free_all(0, 0)
    data, _ = trace_call(run)
    native = next(line for line in check(data).lines if line.file == "<native>").self
    assert native.live_count == 8000
    assert native.live_bytes == 8000 * 192
    helper.free_all(0, 0)


def test_blocks_freed_by_a_c_thread(helper):
    def run():
        helper.keep_valloc(100, 320)
        helper.free_all_in_a_thread(0, 0)

    run()
    for all_threads in (True, False):
        data, _ = trace_call(run, all_threads=all_threads)
        line = own_lines(check(data), run)[1].self
        assert line.freed_bytes - 100 * 320 < 320
        assert line.live_bytes == 0


def test_when_the_threads_have_ended_native_peaks_are_exact_again(helper):
    # The C library frees its own per-thread buffers after the last notice of a thread's end.
    helper.keep_valloc(100, 320)
    trace_block(lambda: helper.free_all_in_a_thread(0, 0))

    def run():
        helper.mountain(2_000, 100)  # small blocks: those above a lane's credit would be exact anyway
        helper.free_all(0, 0)

    data, _ = trace_call(run)
    numbers = allocator(check(data), "malloc")
    assert (numbers["peak_bytes"], numbers["peak_count"]) == (2_000 * 300, 4_000)


def test_scopes_in_several_threads_at_once_see_their_own_part():
    begin = threading.Barrier(4)
    results = {}

    def job(count):
        size = 1000 + count
        return [b"x" * size for _ in range(count)]

    def run(count):
        begin.wait()
        for _ in range(20):
            data, it = trace_call(job, count, all_threads=False)
            del it
        results[count] = data

    alone = {}
    job(1)
    for count in (100, 200, 300, 400):
        alone[count], it = trace_call(job, count, all_threads=False)
        del it
    threads = [threading.Thread(target=run, args=(count,)) for count in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for count in alone:
        several, one = numbers(check(results[count]).sum), numbers(alone[count].sum)
        if FREE_THREADED:  # the peaks of threads that run beside others are right within their credit
            assert one["live_bytes"] <= several.pop("peak_bytes") <= one.pop("peak_bytes")
            assert one["live_count"] <= several.pop("peak_count") <= one.pop("peak_count")
        assert several == one
        line = own_lines(results[count], job)[2]
        assert line.total.live_bytes >= count * (1000 + count + HEAD)


def test_scopes_of_all_threads_in_several_threads_at_once_add_up():
    begin = threading.Barrier(4)
    results = []

    def job():
        return [[i] * 10 for i in range(500)]

    def run():
        begin.wait()
        for _ in range(20):
            results.append(trace_call(job)[0])

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for data in results:
        check(data)
        assert data.sum.allocated_count >= 1000


def test_a_scope_that_another_thread_leaves(worker):
    handle = _engine.ScopeHandle("handed over", True)
    handle.enter()
    make()
    worker.call(handle.leave)
    assert not handle.is_open
    data = check(result_of(handle))
    assert own_lines(data, make)[1].self.live_count == 1
    drop()


def test_threads_that_come_and_go():
    def run():
        for _ in range(100):
            thread = threading.Thread(target=make)
            thread.start()
            thread.join()
        drop()

    run()
    data, _ = trace_block(run)
    line = own_lines(check(data), make)[1].self
    assert (line.allocated_count, line.freed_count) == (100, 100)
    assert line.allocated_bytes == 100 * (SIZE + HEAD)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="an interpreter has a GIL of its own from Python 3.12 on")
def test_a_free_is_the_first_event_in_another_interpreter(tmp_path, worker):
    """It may not go into the lane of the main interpreter's GIL: in a checked build that stops the process."""
    helper = ctypes.PyDLL(str(compiled(Path(__file__).with_name("interpreter_helper.c"), tmp_path)))
    helper.make_other()

    def run():
        worker.call(list)  # so that the engine knows of several threads
        helper.free_first_of_all(1000)

    data, _ = trace_block(run)
    assert sum(check(data).block_sizes) == data.sum.allocated_count
    assert data.sum.freed_bytes >= 1000
    helper.end_other()
