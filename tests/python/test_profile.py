"""`@malloc_tracer.profile`: every call of a function, added up."""

import asyncio
import functools
import gc
import inspect
import pickle
import threading
import weakref

import pytest

import malloc_tracer
from conftest import assert_as_marked
from sizes import ARGUMENT, array


@pytest.fixture(autouse=True)
def reset():
    global function, Klass
    from profiled import Klass, function

    function.profile.reset()


def test_calls_are_added_up():
    held = []
    for _ in range(3):
        assert function(8000, held) == 8000
    function(100)
    trace = function.profile.trace()
    assert trace.name == "function"
    assert trace.result is None
    line = trace.line(function, function.__code__.co_firstlineno + 3)
    assert (line.self.live_bytes, line.self.live_count) == (3 * array(8000), 6)
    assert (line.self.allocated_bytes, line.self.allocated_count) == (3 * array(8000) + array(100) + 4 * ARGUMENT, 12)
    assert trace.live_bytes <= trace.peak_bytes <= trace.allocated_bytes
    assert function.profile.trace().allocated_count == trace.allocated_count
    del held[:]
    assert function.profile.trace().line(function, function.__code__.co_firstlineno + 3).self.live_bytes == 0


def test_reset():
    function(8000)
    assert function.profile.trace().allocated_count > 0
    function.profile.reset()
    assert function.profile.trace().allocated_count == 0
    function(8000)
    assert function.profile.trace().allocated_bytes >= array(8000)


def test_the_decorated_function_is_like_the_original():
    assert function.__name__ == function.__qualname__ == "function"
    assert function.__doc__ == "Docstring."
    assert function.__module__ == "profiled"
    assert inspect.signature(function) == inspect.signature(function.__wrapped__)
    assert inspect.isfunction(function)
    assert pickle.loads(pickle.dumps(function)) is function
    assert repr(function.profile) == "<Profile 'function'>"


def test_wrapped_is_the_original_and_not_recorded():
    function.__wrapped__(8000)
    assert function.profile.trace().allocated_count == 0


def test_listing():
    held = []
    function(8000, held)
    text = str(function.profile.trace())
    assert "@malloc_tracer.profile" in text
    assert "       7.9 KiB        data = bytearray(size)" in text


def test_options():
    @malloc_tracer.profile(name="mine", threads="all")
    def target():
        return bytearray(8000)  # live bytearray(8000)

    data = target()
    trace = target.profile.trace()
    assert trace.name == "mine"
    assert_as_marked(trace, str(trace))
    del data


def test_other_threads():
    def make(**options):
        @malloc_tracer.profile(**options)
        def target(held):
            thread = threading.Thread(target=lambda: held.append(bytearray(50_000)))
            thread.start()
            thread.join()

        target([])
        return target.profile.trace().allocated_bytes >= 50_000

    assert not make()
    assert make(threads="all")


def test_calls_from_several_threads_count():
    workers = [threading.Thread(target=function, args=(8000,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    line = function.profile.trace().line(function, function.__code__.co_firstlineno + 3)
    assert line.self.allocated_bytes == 4 * (array(8000) + ARGUMENT)


def test_generator():
    @malloc_tracer.profile
    def target():
        kept = bytearray(8000)  # live bytearray(8000)
        yield 1
        yield kept

    generator = target()
    next(generator)
    outside = bytearray(50_000)
    data = next(generator)
    trace = target.profile.trace()
    assert_as_marked(trace, str(trace))
    assert trace.allocated_bytes == array(8000) + ARGUMENT
    del outside, data
    assert inspect.isgeneratorfunction(target)


def test_coroutine_and_async_generator():
    @malloc_tracer.profile
    async def target(held):
        held.append(bytearray(8000))  # live bytearray(8000)
        await asyncio.sleep(0)

    @malloc_tracer.profile
    async def items(held):
        held.append(bytearray(8000))  # live bytearray(8000)
        yield 1

    async def main():
        await target(held)
        async for _ in items(held):
            pass

    held = [None] * 10  # no growth in the profiled lines
    del held[:]
    asyncio.run(main())
    for each in (target, items):
        line = each.__code__.co_firstlineno + 2
        assert each.profile.trace().line(each, line).self.live_bytes >= array(8000)
    assert inspect.iscoroutinefunction(target)
    assert inspect.isasyncgenfunction(items)


@pytest.mark.parametrize(
    ("use", "profile"),
    [
        (lambda: Klass().method(), lambda: Klass.method.profile),
        (lambda: Klass.below_static(), lambda: Klass.below_static.profile),
        (lambda: Klass().above_static(), lambda: Klass.above_static.profile),
        (lambda: Klass.below_class(), lambda: Klass.below_class.profile),
        (lambda: Klass().above_class(), lambda: Klass.above_class.profile),
        (lambda: Klass().below_property, lambda: Klass.below_property.fget.profile),
        (lambda: Klass().above_property, lambda: Klass.above_property.fget.profile),
        (lambda: Klass().above_cached, lambda: Klass.above_cached.func.profile),
    ],
)
def test_methods(use, profile):
    profile().reset()
    data = use()
    trace = profile().trace()
    assert_as_marked(trace, str(trace))
    del data


def test_super_and_docstrings_in_a_profiled_class():
    assert "Klass object" in Klass().with_super()
    assert Klass.above_property.__doc__ == "Docstring."


def test_above_other_decorators():
    @malloc_tracer.profile
    @functools.lru_cache
    def cached(size):
        return bytearray(size)  # live bytearray(8000)

    for _ in range(3):
        cached(8000)
    assert cached.cache_info().hits == 2
    trace = cached.profile.trace()
    assert_as_marked(trace, str(trace))


def test_profiled_function_as_the_target_of_a_tracer(traced):
    @malloc_tracer.profile
    def target():
        return bytearray(8000)  # live bytearray(8000)

    t = traced(target).as_marked()
    assert t.trace.live_bytes == array(8000)
    assert target.profile.trace().live_bytes in (0, array(8000))  # whether the result of the trace still lives


def test_recursion_and_exceptions():
    @malloc_tracer.profile
    def target(depth, held):
        held[depth] = bytearray(8000)  # live bytearray(8000) * 3
        if depth:
            return target(depth - 1, held)
        raise KeyError

    held = [None] * 3
    with pytest.raises(KeyError) as caught:
        target(2, held)
    trace = target.profile.trace()
    assert trace.line(target, target.__code__.co_firstlineno + 2).self.live_bytes == 3 * array(8000)
    assert [entry.name for entry in caught.traceback][-3:] == ["target"] * 3


def test_two_closures_of_one_function_are_two_profiles():
    def make():
        @malloc_tracer.profile
        def target():
            return bytearray(8000)

        return target

    one, two = make(), make()
    one()
    assert one.profile.trace().allocated_count == 3
    assert two.profile.trace().allocated_count == 0


def test_call_form_leaves_the_original_alone():
    def original():
        return bytearray(8000)

    decorated = malloc_tracer.profile(original)
    original()
    assert decorated.__wrapped__ is original
    assert not hasattr(original, "profile")
    assert decorated.profile.trace().allocated_count == 0
    decorated()
    assert decorated.profile.trace().allocated_count == 3


def test_a_local_function_goes_with_its_profile():
    @malloc_tracer.profile
    def local():
        return bytearray(100)

    local()
    gone = weakref.ref(local.profile)
    del local
    gc.collect()
    assert gone() is None
