"""Threads of every kind, and signals, while a scope is open."""

from __future__ import annotations

import concurrent.futures
import ctypes
import queue
import signal
import threading
from pathlib import Path

import pytest

from engine import allocator, check, compiled, kept, lost, nodes, nonzero, own_lines, result_of, trace_block, trace_call
from malloc_tracer import _engine
from sizes import FREE_THREADED
from test_engine_process import ONE_BLOCK, block

BLOCK_BYTES = ONE_BLOCK["live_bytes"]


def blocks_in(data):
    return nonzero(own_lines(check(data), block)[2].self)


def test_threads_that_outlive_the_scope():
    """What they free after its end is not undone, what they make after it does not count."""
    kept_blocks, inside, outside, done = [], threading.Semaphore(0), threading.Semaphore(0), threading.Semaphore(0)

    def job():
        kept_blocks.append(block())
        inside.release()
        outside.acquire()
        kept_blocks.pop()
        for _ in range(100):
            kept_blocks.append(block())
        done.release()

    handle = _engine.ScopeHandle("outlived", True)
    threads = [threading.Thread(target=job) for _ in range(5)]
    handle.enter()
    for thread in threads:
        thread.start()
    for _ in threads:
        inside.acquire()
    handle.leave()
    before = blocks_in(result_of(handle))
    for _ in threads:
        outside.release()
    for _ in threads:
        done.acquire()
    for thread in threads:
        thread.join()
    assert blocks_in(result_of(handle)) == before == kept(5, BLOCK_BYTES)
    assert nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK


def test_thread_pools():
    made = queue.SimpleQueue()
    older = concurrent.futures.ThreadPoolExecutor(3)
    list(older.map(lambda _: None, range(3)))

    def job(_):
        made.put(block())

    def run():
        with concurrent.futures.ThreadPoolExecutor(3) as newer:
            list(newer.map(job, range(50)))
        list(older.map(job, range(50)))

    data, _ = trace_block(run)
    older.shutdown()
    assert blocks_in(data) == kept(100, BLOCK_BYTES)


def test_blocks_handed_from_thread_to_thread():
    todo, done = queue.SimpleQueue(), queue.SimpleQueue()

    def drops():
        while todo.get() is not None:
            done.put(True)

    threads = [threading.Thread(target=drops) for _ in range(3)]

    def run():
        for thread in threads:
            thread.start()
        for _ in range(200):
            todo.put(block())
        for _ in range(200):
            done.get()
        for _ in threads:
            todo.put(None)
        for thread in threads:
            thread.join()

    data, _ = trace_block(run)
    line = own_lines(check(data), block)[2].self
    assert (line.allocated_count, line.freed_count, line.live_bytes) == (200, 200, 0)


def test_a_timer_and_an_excepthook():
    made = []
    old = threading.excepthook
    threading.excepthook = lambda args: made.append(block())

    def fails():
        made.append(block())
        raise ValueError

    def run():
        timer = threading.Timer(0, lambda: made.append(block()))
        thread = threading.Thread(target=fails)
        timer.start(), thread.start()
        timer.join(), thread.join()

    try:
        data, _ = trace_block(run)
    finally:
        threading.excepthook = old
    numbers, expected = blocks_in(data), kept(3, BLOCK_BYTES)
    if FREE_THREADED:  # the peak of threads that run beside others is right within their credit
        assert numbers.pop("peak_bytes") <= expected.pop("peak_bytes")
        assert numbers.pop("peak_count") <= expected.pop("peak_count")
    assert numbers == expected


@pytest.fixture(scope="module")
def signals(tmp_path_factory):
    library = ctypes.CDLL(str(compiled(Path(__file__).with_name("signals.c"), tmp_path_factory.mktemp("signals"))))
    for name in ("rain_signals", "stop_signals", "at_thread_end"):
        getattr(library, name).restype = ctypes.c_long
    return library


def churn(rounds):
    rows = []
    for i in range(rounds):
        rows.append(bytes(1000))
        rows.append([i] * 10)
        if len(rows) > 100:
            rows.clear()
    rows.clear()
    return block()


def test_signals_whose_c_handlers_map_memory_inside_the_hook(signals):
    """Inside a hook a mapping cannot be told from one of the allocator's own; all other numbers are exact."""
    churn(1000)
    alone, it = trace_call(churn, 20_000)
    expected = {
        at: nonzero(line.self) for at, line in own_lines(check(alone), churn).items() if line.function == "churn"
    }
    signals.rain_signals(50)
    try:
        data, it = trace_call(churn, 20_000)
    finally:
        count = signals.stop_signals()
    mapped = allocator(data, "mmap")
    reentered = sum(lost(data).values())
    assert count > 20
    assert mapped.get("allocated_count", 0) <= count
    assert mapped.get("live_count", 0) <= reentered
    assert set(lost(data)) <= {"events not recorded (signal handler inside the tracer)"}
    own = {at: nonzero(line.self) for at, line in own_lines(data, churn).items() if line.function == "churn"}
    for at in (3, 4):
        python_only = {"live_count", "live_bytes"}
        assert {name: own[at].get(name) for name in python_only} == {
            name: expected[at].get(name) for name in python_only
        }
    last = own_lines(data, block)[2].self  # a handler that came outside of a hook may have mapped there, too
    assert (last.live_count, last.live_bytes) == (1, BLOCK_BYTES)


def test_signals_whose_python_handlers_allocate():
    made = []
    old = signal.signal(signal.SIGALRM, lambda *_: made.append(block()))

    def run():
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        while len(made) < 50:
            churn(100)
        signal.setitimer(signal.ITIMER_REAL, 0)

    try:
        data, _ = trace_block(run)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
    line = own_lines(check(data), block)[2].self
    assert line.live_count == len(made)
    assert line.live_bytes == len(made) * BLOCK_BYTES
    handled = [
        node for node in nodes(data) if node.frame.function == "block" and "lambda" in node.parent.frame.function
    ]
    assert sum(node.self.live_count for node in handled) == len(made)


def test_a_signal_handler_that_raises_through_a_traced_call():
    def handler(*_):
        raise TimeoutError

    def endless():
        it = block()
        while True:
            churn(10)

    old = signal.signal(signal.SIGALRM, handler)
    handle = _engine.ScopeHandle("endless", True)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(TimeoutError):
            handle.run(endless, (), None, endless)
    finally:
        signal.signal(signal.SIGALRM, old)
    assert not handle.is_open
    data = check(result_of(handle))
    first = [
        node
        for node in nodes(data)
        if node.frame.function == "block" and node.parent.frame.line == endless.__code__.co_firstlineno + 1
    ]
    assert sum(node.self.live_count for node in first) == 1


@pytest.mark.parametrize("count", [1, 20])
def test_memory_made_and_freed_by_destructors_of_thread_keys(signals, count):
    """They run while the thread is on its way out, in any order with ours."""
    signals.at_thread_end(1, 10_016)
    data, _ = trace_call(lambda: signals.at_thread_end(count, 10_016))
    malloc = allocator(check(data), "malloc")
    # Each thread frees 3 blocks of that size in its destructors and leaves one.
    assert (malloc["live_count"], malloc["live_bytes"]) == (count, count * 10_016)
    assert malloc["allocated_bytes"] - malloc["freed_bytes"] == count * 10_016
    assert malloc["allocated_count"] >= 4 * count
