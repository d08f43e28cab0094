"""Generators, coroutines and asynchronous generators: carried to their end, charged only with their own allocations."""

import asyncio
import functools
import gc
import types
import weakref

import pytest

import malloc_tracer
from sizes import ARGUMENT, array


def items(count):
    kept = bytearray(8000)  # live bytearray(8000)
    for _ in range(count):
        yield kept
    del _


def test_generator_is_exhausted(traced):
    t = traced(items, args=(3,)).as_marked()
    assert t.result is None
    assert t.trace.name == "items"


def test_items_of_a_generator_are_dropped_one_by_one(traced):
    class Item:
        pass

    alive = []

    def target():
        for _ in range(3):
            item = Item()
            alive.append(weakref.ref(item))
            yield item
            del item
            assert [ref() is None for ref in alive] == [True] * len(alive)

    traced(target)
    assert len(alive) == 3


def test_consumer_is_not_charged_to_a_generator(traced):
    """The wrapper allocates between two items; the generator is only charged with its own."""

    def consuming(generator):
        @functools.wraps(generator)
        def wrapper():
            held = []
            for item in generator():
                held.append(bytearray(50_000))
                held.append(item)
            return held

        return wrapper

    @consuming
    def target():
        first = bytearray(8000)  # live bytearray(8000)
        yield first
        second = bytearray(100)  # live bytearray(100)
        yield second

    t = traced(target).as_marked()
    assert len(t.result) == 4
    assert t.trace.allocated_bytes == array(8000) + array(100) + 2 * ARGUMENT  # and the tuples of bytearray's arguments


def test_generator_behind_a_decorator_is_exhausted(traced):
    def passing(function):
        @functools.wraps(function)
        def wrapper(*args):
            return function(*args)

        return wrapper

    t = traced(passing(items), args=(3,)).as_marked()
    assert t.result is None


def test_generator_turned_into_a_list_by_its_decorator_is_the_result(traced):
    def listed(function):
        @functools.wraps(function)
        def wrapper(*args):
            return list(function(*args))

        return wrapper

    assert traced(listed(items), args=(3,)).result == [bytearray(8000)] * 3


def test_function_that_returns_a_generator_returns_it(traced):
    def target():
        return (item for item in (1, 2))

    assert list(traced(target).result) == [1, 2]


async def fetch(size):
    data = bytearray(size)  # live bytearray(8000)
    await asyncio.sleep(0)
    return data


def test_coroutine_function_runs_to_completion(traced):
    asyncio.run(fetch(10))  # before 3.11 a first call leaves its frame, a block like others
    t = traced(fetch, target_args={"size": 8000}).as_marked()
    assert t.result == bytearray(8000)
    assert t.trace.name == "fetch"


def test_other_tasks_are_not_charged_to_a_coroutine(traced):
    held = []

    async def other():
        for _ in range(5):
            held.append(bytearray(50_000))
            await asyncio.sleep(0)

    async def target():
        task = asyncio.ensure_future(other())
        data = bytearray(8000)
        await asyncio.sleep(0)
        more = bytearray(100)
        await task
        return data, more

    t = traced(target)
    first = target.__code__.co_firstlineno
    assert t.trace.line(target, first + 2).self.live_bytes == array(8000)
    assert t.trace.line(target, first + 4).self.live_bytes == array(100)
    assert t.trace.allocated_bytes < 50_000
    assert len(held) == 5


class Asynchronous:
    async def method(self):
        return bytearray(8000)  # live bytearray(8000)

    @classmethod
    async def cmethod(cls):
        return bytearray(8000)  # live bytearray(8000)

    async def __call__(self):
        return bytearray(8000)  # live bytearray(8000)


@pytest.mark.parametrize("target", [Asynchronous().method, Asynchronous.cmethod, Asynchronous()])
def test_coroutine_methods(traced, target):
    assert traced(target).as_marked().result == bytearray(8000)


def test_coroutine_function_behind_decorators(traced):
    def passing(function):
        @functools.wraps(function)
        async def wrapper(*args):
            return await function(*args)

        return wrapper

    def blocking(function):
        @functools.wraps(function)
        def wrapper(*args):
            return asyncio.run(function(*args))

        return wrapper

    assert traced(passing(fetch), args=(8000,)).as_marked().result == bytearray(8000)
    assert traced(blocking(fetch), args=(8000,)).as_marked().result == bytearray(8000)
    assert traced(functools.partial(fetch, 8000)).as_marked().result == bytearray(8000)


def test_generator_based_coroutine(traced):
    @types.coroutine
    def target():
        data = bytearray(8000)
        yield
        return data

    assert traced(target).result == bytearray(8000)


async def async_items(count):
    kept = bytearray(8000)  # live bytearray(8000)
    for _ in range(count):
        await asyncio.sleep(0)
        yield kept
    del _


def test_async_generator_is_exhausted(traced):
    traced(async_items, args=(3,))  # 3.9 keeps what carries an item, and reuses it unseen
    t = traced(async_items, args=(3,)).as_marked()
    assert t.result is None


def test_running_loop_is_refused_before_anything_runs():
    async def main():
        with pytest.raises(RuntimeError, match=r"await tracer\.trace_async\(\.\.\.\)"):
            malloc_tracer.trace(fetch, args=(1,), quiet=True)
        with pytest.raises(RuntimeError, match="trace_async"):
            malloc_tracer.Tracer(async_items).trace(args=(1,), quiet=True)
        return malloc_tracer.trace(len, args=("abc",), quiet=True).result  # anything else works in a loop

    assert asyncio.run(main()) == 3


def test_trace_async_awaits_in_the_running_loop():
    tracer = malloc_tracer.Tracer(fetch)

    async def main():
        loop = asyncio.get_running_loop()
        trace = await tracer.trace_async(target_args={"size": 8000}, quiet=True)
        assert asyncio.get_running_loop() is loop
        return trace

    trace = asyncio.run(main())
    assert trace is tracer.last_trace
    assert trace.result == bytearray(8000)
    line = fetch.__code__.co_firstlineno + 1
    assert trace.line(fetch, line).self.live_bytes == array(8000)


def test_trace_async_ends_before_the_locals_die():
    async def target():
        data = bytearray(8000)
        await asyncio.sleep(0)
        return len(data)

    async def main():
        return await malloc_tracer.Tracer(target).trace_async(quiet=True)

    assert asyncio.run(main()).live_bytes >= array(8000)


def test_trace_async_takes_every_kind_of_target(capsys):
    async def main():
        one = await malloc_tracer.Tracer(async_items).trace_async(args=(2,))
        two = await malloc_tracer.Tracer(items).trace_async(args=(2,))
        three = await malloc_tracer.Tracer(len).trace_async(args=("abc",))
        return one.result, two.result, three.result

    assert asyncio.run(main()) == (None, None, 3)
    assert capsys.readouterr().out.count("<< Target traces >>") == 3


def test_trace_async_passes_exceptions_on():
    async def target():
        await asyncio.sleep(0)
        raise KeyError("mine")

    tracer = malloc_tracer.Tracer(target)

    async def main():
        with pytest.raises(KeyError, match="mine") as caught:
            await tracer.trace_async(quiet=True)
        return [entry.name for entry in caught.traceback]

    assert asyncio.run(main()) == ["main", "target"]
    assert tracer.last_trace is not None


def test_no_coroutine_is_left_unawaited(traced, recwarn):
    async def target(x):
        return x

    with pytest.raises(TypeError):
        malloc_tracer.trace(target, quiet=True)
    with pytest.raises(ZeroDivisionError):
        malloc_tracer.trace(target, args=(1,), rtime_setup="1/0", quiet=True)
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
