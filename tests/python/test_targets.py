"""Every kind of target: its lines with exact numbers, and the program's own semantics.

`bytearray(8000)` is two blocks, and for a moment the tuple of its arguments (see `sizes`). In the traced functions a
line that ends in `# live N` must show N bytes, and every other line none.
"""

import dataclasses
import functools
import operator
import os
import sys
import threading
import tracemalloc
import types

import numpy as np
import pytest

import malloc_tracer
from sizes import ARGUMENT, LIST_HEAD, LOST, OLD_LISTS, array


def plain(size):
    data = bytearray(size)  # live bytearray(8000)
    gone = bytearray(500)
    del gone
    return data


class Base:
    def hello(self):
        return bytearray(8000)


class Klass(Base):
    def __init__(self, value=8000):
        self.__value = value

    def method(self):
        return bytearray(8000)  # live bytearray(8000)

    @staticmethod
    def smethod(size):
        return bytearray(size)  # live bytearray(8000)

    @classmethod
    def cmethod(cls, size):
        assert cls is Klass
        return bytearray(size)  # live bytearray(8000)

    def zero_argument_super(self):
        mine = bytearray(8000)  # live bytearray(8000)
        return mine, super().hello(), __class__

    def mangled(self):
        return bytearray(self.__value)  # live bytearray(8000)

    @property
    def prop(self):
        return bytearray(8000)  # live bytearray(8000)

    @functools.cached_property
    def cached(self):
        return bytearray(8000)  # live bytearray(8000)

    def with_size(self, size):
        return bytearray(size)  # live bytearray(8000)

    fixed = functools.partialmethod(with_size, 8000)

    def __call__(self, size):
        return bytearray(size)  # live bytearray(8000)


def test_function(traced):
    t = traced(plain, target_args={"size": 8000}).as_marked()
    assert t.source[0] == "def plain(size):"
    assert t.source[-1] == "return data"
    assert t.result == bytearray(8000)
    assert t.trace.name == "plain"
    assert (t.trace.live_bytes, t.trace.live_count) == (array(8000), 2)
    assert (t.trace.allocated_bytes, t.trace.allocated_count) == (array(8000) + ARGUMENT + array(500) + ARGUMENT, 6)
    assert (t.trace.freed_bytes, t.trace.freed_count) == (ARGUMENT + array(500) + ARGUMENT, 4)
    assert (t.trace.peak_bytes, t.trace.peak_count) == (array(8000) + array(500) + ARGUMENT, 5)


def test_nested_function(traced):
    def nested():
        data = bytearray(8000)  # live bytearray(8000)
        return data

    assert traced(nested).as_marked().trace.name.endswith("nested")


def test_function_that_calls_a_nested_one(traced):
    def outer():
        kept = bytearray(8000)  # live bytearray(8000)

        def inner():
            return bytearray(100)  # live bytearray(100)

        return kept, inner()  # the tuple and the function are freed or returned below

    t = traced(outer)
    assert t.trace.line(outer, outer.__code__.co_firstlineno + 1).self.live_bytes == array(8000)
    assert t.trace.line(outer, outer.__code__.co_firstlineno + 4).self.live_bytes == array(100)


def test_lambda(traced):
    target = lambda size: bytearray(size)  # live bytearray(8000)
    t = traced(target, args=(8000,)).as_marked()
    assert t.source == ["target = lambda size: bytearray(size)  # live bytearray(8000)"]


def test_lambda_over_several_lines(traced):
    target = lambda size: (
        len(str(size)),
        bytearray(size),
    )[1]
    t = traced(target, args=(8000,))
    first = target.__code__.co_firstlineno
    assert t.trace.line(target, first + 2).self.live_bytes == array(8000)
    assert any("bytearray(size)" in line for line in t.source)


@pytest.mark.parametrize(
    ("target", "kwargs"),
    [
        (Klass().method, {}),
        (Klass.method, {"args": (Klass(),)}),
        (Klass.method, {"target_args": {"self": Klass()}}),
        (Klass.smethod, {"target_args": {"size": 8000}}),
        (Klass().smethod, {"args": (8000,)}),
        (vars(Klass)["smethod"], {"args": (8000,)}),
        (Klass.cmethod, {"target_args": {"size": 8000}}),
        (Klass().cmethod, {"args": (8000,)}),
        (vars(Klass)["cmethod"], {"args": (8000,)}),
        (vars(Klass)["cmethod"], {"args": (Klass, 8000)}),
        (vars(Klass)["cmethod"], {"target_args": {"cls": Klass, "size": 8000}}),
        (Klass(), {"target_args": {"size": 8000}}),
        (Klass().mangled, {}),
        (Klass.prop, {"args": (Klass(),)}),
        (Klass.cached, {"args": (Klass(),)}),
        (vars(Klass)["cached"], {"target_args": {"self": Klass()}}),
        (Klass().fixed, {}),
        (Klass.fixed, {"args": (Klass(),)}),
        (vars(Klass)["fixed"], {"args": (Klass(),)}),
        (functools.partial(plain, 8000), {}),
        (functools.partial(functools.partial(plain), size=8000), {}),
        (functools.partial(Klass().with_size, 8000), {}),
    ],
    ids=str,
)
def test_methods_and_descriptors(traced, target, kwargs):
    assert traced(target, **kwargs).as_marked().result == bytearray(8000)


def test_decorators_of_static_and_class_methods_are_listed(traced):
    assert traced(Klass.smethod, args=(8000,)).source[0] == "@staticmethod"
    assert traced(Klass.cmethod, args=(8000,)).source[0] == "@classmethod"


def test_classmethod_object_of_a_local_class_finds_its_class(traced):
    class Local:
        @classmethod
        def make(cls, size):
            assert cls is Local
            return bytearray(size)  # live bytearray(8000)

    traced(vars(Local)["make"], target_args={"size": 8000}).as_marked()


def test_classmethod_object_takes_a_subclass(traced):
    class Sub(Klass):
        pass

    traced(classmethod(lambda cls: bytearray(8000)), args=(Sub,))  # it belongs to no class: the class is an argument
    t = traced(vars(Base).get("make", classmethod(lambda cls: cls)), args=(Sub,))
    assert t.result is Sub


def test_zero_argument_super_and_class_cell(traced):
    t = traced(Klass().zero_argument_super)
    first = Klass.zero_argument_super.__code__.co_firstlineno
    assert t.trace.line(Klass.zero_argument_super, first + 1).self.live_bytes == array(8000)
    assert t.result[2] is Klass


def test_closure_and_nonlocal(traced):
    count = 0
    size = 8000

    def closure():
        nonlocal count
        count += 1
        return bytearray(size)  # live bytearray(8000)

    traced(closure).as_marked()
    traced(closure).as_marked()
    assert count == 2


def test_recursion_adds_up_all_levels(traced):
    def recursive(depth):
        data = bytearray(8000)  # live bytearray(8000) * 3
        return (depth and recursive(depth - 1)) or data

    def holding(depth, held):
        held[depth] = bytearray(8000)  # live bytearray(8000) * 3
        if depth:
            holding(depth - 1, held)

    held = [None] * 3
    holding(2, held)  # before 3.11 first calls leave their frames, blocks like others
    recursive(2)
    t = traced(holding, args=(2, held)).as_marked()
    assert t.trace.live_count == 6
    # Of the inner levels of `recursive` only one array survives the way back.
    t = traced(recursive, args=(2,))
    frames = t.trace.allocated_count - 3 * 3  # of the inner levels: before 3.11, blocks like others
    most = 2 if sys.version_info < (3, 11) else 0
    assert frames == most or (OLD_LISTS and 0 <= frames <= most)  # 3.9 may have some left over
    assert t.trace.allocated_bytes == 3 * (array(8000) + ARGUMENT) or frames


# --- Decorators ---


def counting(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        wrapper.calls += 1
        return function(*args, **kwargs)

    wrapper.calls = 0
    counting.applied += 1
    return wrapper


counting.applied = 0


def test_wraps_lists_the_wrapped_function_and_runs_no_decorator_again(traced):
    @counting
    def decorated(size):
        return bytearray(size)  # live bytearray(8000)

    applied = counting.applied
    t = traced(decorated, args=(8000,)).as_marked()
    assert t.source[:2] == ["@counting", "def decorated(size):"]
    assert decorated.calls == 1
    assert counting.applied == applied


def test_without_wraps_the_wrapper_itself_is_listed(traced):
    def plainly(function):
        def wrapper(*args):
            mine = bytearray(8000)  # live bytearray(8000)
            function(*args)
            return mine

        return wrapper

    @plainly
    def decorated():
        bytearray(10)

    decorated()

    assert traced(decorated).as_marked().source[0] == "def wrapper(*args):"


def test_lru_cache_hit_gives_an_empty_listing(traced):
    @functools.lru_cache
    def cached(size):
        return bytearray(size)  # live bytearray(8000)

    traced(cached, args=(8000,)).as_marked()
    hit = traced(cached, target_args={"size": 8000})
    assert hit.trace.allocated_count == 3  # another key than the positional call: a miss
    hit = traced(cached, args=(8000,))
    assert hit.result == bytearray(8000)
    assert hit.trace.allocated_count == 0
    assert hit.source[0] == "@functools.lru_cache"


def test_retrying_decorator_adds_up_its_calls(traced):
    def retry(function):
        @functools.wraps(function)
        def wrapper(held):
            for _ in range(3):
                try:
                    return function(held)
                except OSError:
                    pass

        return wrapper

    @retry
    def flaky(held):
        held.append(1)
        data = bytearray(8000)
        if len(held) < 3:
            raise OSError
        return data

    held = []
    t = traced(flaky, args=(held,))
    assert len(held) == 3
    line = t.trace.line(flaky, flaky.__wrapped__.__code__.co_firstlineno + 3)
    assert line.self.allocated_bytes == 3 * (array(8000) + ARGUMENT)
    assert line.self.live_bytes == array(8000)


def test_decorator_that_adds_an_argument(traced):
    def connected(function):
        @functools.wraps(function)
        def wrapper(*args, **kwargs):
            return function("connection", *args, **kwargs)

        return wrapper

    @connected
    def query(connection, size, /):
        assert connection == "connection"
        return bytearray(size)  # live bytearray(8000)

    traced(query, args=(8000,)).as_marked()


def test_callable_instance_with_wrapped(traced):
    class Decorator:
        def __init__(self, function):
            functools.update_wrapper(self, function)

        def __call__(self, *args):
            return self.__wrapped__(*args)

    @Decorator
    def decorated(size):
        return bytearray(size)  # live bytearray(8000)

    traced(decorated, args=(8000,)).as_marked()


def test_loop_of_wrapped_ends(traced):
    def odd():
        return bytearray(8000)  # live bytearray(8000)

    odd.__wrapped__ = odd
    traced(odd).as_marked()


def test_singledispatch(traced):
    @functools.singledispatch
    def show(value):
        return bytearray(8000)  # live bytearray(8000)

    traced(show, args=(1,)).as_marked()


# --- Classes ---


class Built:
    """A docstring."""

    def __new__(cls, size):
        made = super().__new__(cls)
        return made

    def __init__(self, size):
        self.data = bytearray(size)
        self.more = self.helper()

    def helper(self):
        return bytearray(100)

    def unused(self):
        return bytearray(100)


def test_class_lists_every_function_of_its_body_that_ran(traced):
    t = traced(Built, args=(8000,))
    assert [line for line in t.source if line.startswith("def ")] == [
        "def __new__(cls, size):",
        "def __init__(self, size):",
        "def helper(self):",
    ]
    init = Built.__init__.__code__.co_firstlineno
    attributes = 104 if sys.version_info < (3, 11) else 0  # a dictionary, made with the first one
    assert t.trace.line(Built.__init__, init + 1).self.live_bytes == array(8000) + attributes
    assert t.trace.line(Built.helper, Built.helper.__code__.co_firstlineno + 1).self.live_bytes == array(100)
    assert isinstance(t.result, Built)
    assert t.trace.name == "Built"


@dataclasses.dataclass
class Data:
    size: int
    names: list = dataclasses.field(default_factory=lambda: [None] * 100)
    items: bytearray = dataclasses.field(default_factory=functools.partial(bytearray, 8000))
    twice: bytearray = None

    def __post_init__(self):
        self.twice = bytearray(self.size)


def test_dataclass(traced):
    t = traced(Data, target_args={"size": 100})
    assert "self.twice = bytearray(self.size)" in t.source
    post = Data.__post_init__.__code__.co_firstlineno
    assert t.trace.line(Data.__post_init__, post + 1).self.live_bytes == array(100)
    assert t.result.items == bytearray(8000)
    factory = Data.__dataclass_fields__["names"].default_factory
    assert t.trace.line(factory, factory.__code__.co_firstlineno).self.live_bytes == 56 + LIST_HEAD + 800
    assert any("lambda: [None] * 100" in line for line in t.source)
    # The generated __init__ has lines and no source; what it calls in C is charged to it.
    assert 'File "<string>"\n(no source: <string> was compiled from a string' in t.text
    assert "       7.9 KiB    \n" in t.text


def test_class_without_functions(traced):
    class Empty:
        pass

    t = traced(Empty)
    assert "no source: class test_class_without_functions.<locals>.Empty has no Python code of its own" in t.text
    assert isinstance(t.result, Empty)


# --- C ---


@pytest.mark.parametrize(
    ("target", "kwargs", "name"),
    [
        (bytearray, {"args": (8000,)}, "builtins.bytearray"),
        (sorted, {"args": ([3, 1, 2],), "target_args": {"reverse": True}}, "builtins.sorted"),
        ([].append, {"args": (1,)}, "list.append"),
        (str.join, {"target_args": {"self": ",", "iterable": ["a", "b"]}}, "str.join"),
        (np.add, {"args": (np.ones(3), 1)}, "numpy.add"),
        (np.zeros, {"target_args": {"shape": 3}}, "numpy.zeros"),
        (operator.itemgetter(0), {"args": ([1],)}, "operator.itemgetter"),
        (functools.partial(sorted, [2, 1]), {}, "builtins.sorted"),
        (max, {"args": (1, 2)}, "builtins.max"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_c_targets_have_totals_but_no_source(traced, target, kwargs, name):
    t = traced(target, **kwargs)
    assert f"(no source: {name} is implemented in C)" in t.text
    assert t.text[: len(t.text) - len(LOST)].splitlines()[-1].startswith("Total allocated size: ")
    assert t.text.endswith(LOST)


def test_builtin_numbers_are_those_of_the_whole_call(traced):
    t = traced(bytearray, args=(8000,))
    assert (t.trace.live_bytes, t.trace.live_count) == (array(8000), 2)
    assert sum(allocator.self.live_bytes for allocator in t.trace.allocators) == array(8000)
    assert "python object" in [allocator.name for allocator in t.trace.allocators]


@pytest.mark.skipif(not hasattr(np.add, "__signature__"), reason="this numpy does not name them")
def test_ufunc_names_its_positional_only_parameters(traced):
    assert (traced(np.add, target_args={"x1": np.ones(3), "x2": 1}).result == 2).all()


# --- Semantics ---

counter = 0
start = "start"
stop = "stop"
inspect = "inspect"


def writes_global():
    global counter
    counter += 1
    return globals()


def test_global_writes_and_globals_are_the_programs_own(traced):
    before = counter
    t = traced(writes_global)
    assert counter == before + 1
    assert t.result is globals()


def uses_names():
    return start, stop, inspect, eval("start")


def test_names_that_a_tracer_might_use(traced):
    assert traced(uses_names).result == ("start", "stop", "inspect", "start")


def test_defaults_are_not_evaluated_again(traced):
    evaluated = []

    def target(value=evaluated.append(1), shared=[]):
        shared.append(1)
        return shared

    assert traced(target).result is target.__defaults__[1]
    traced(target)
    assert evaluated == [1]
    assert target.__defaults__[1] == [1, 1]


def test_positional_only_parameters_can_be_named(traced):
    def target(a, b=2, /, c=3, *rest, d, e=5, **more):
        return a, b, c, rest, d, e, more

    assert traced(target, target_args={"a": 1, "d": 4}).result == (1, 2, 3, (), 4, 5, {})
    assert traced(target, target_args={"a": 1, "b": 9, "d": 4, "x": 0}).result == (1, 9, 3, (), 4, 5, {"x": 0})
    assert traced(target, args=(1, 2, 3, 7, 8), target_args={"d": 4, "a": 0}).result == (
        1,
        2,
        3,
        (7, 8),
        4,
        5,
        {"a": 0},
    )
    default = target.__defaults__
    assert traced(lambda a=default, b=0, /: (a, b), target_args={"b": 1}).result == (default, 1)


def test_positional_only_parameters_behind_a_decorator(traced):
    @counting
    def target(a, b, /):
        return a, b

    assert traced(target, target_args={"a": 1, "b": 2}).result == (1, 2)
    assert traced(target, args=(1,), target_args={"b": 2}).result == (1, 2)


def test_the_very_object_is_called_by_the_very_caller(traced):
    def target():
        return sys._getframe().f_code, sys._getframe(1).f_code

    trace = malloc_tracer.trace(target, quiet=True)
    assert trace.result == (target.__code__, sys._getframe().f_code)


def test_foreign_globals(traced):
    foreign = types.FunctionType(plain.__code__, {"__builtins__": __builtins__}, "foreign")
    traced(foreign, args=(8000,)).as_marked()


def test_import_inside_and_walrus(traced):
    def target(value):
        import json

        if twice := value["size"] * 2:
            data = bytearray(value["size"])  # live bytearray(8000)
            return json.dumps(twice), data

    assert traced(target, args=({"size": 8000},)).result[0] == "16000"


# --- Company ---


def test_target_that_starts_threads(traced):
    def target(held):
        thread = threading.Thread(target=lambda: held.append(bytearray(8000)))
        thread.start()
        thread.join()
        return bytearray(100)  # live bytearray(100)

    held = []
    t = traced(target, args=(held,))
    assert held == [bytearray(8000)]
    last = target.__code__.co_firstlineno + 4
    assert t.trace.line(target, last).self.live_bytes == array(100)
    assert t.trace.line(target, target.__code__.co_firstlineno + 1).self.live_bytes >= array(8000)
    assert len(t.trace.threads) == 2


def test_threads_current_ignores_other_threads(traced):
    def target(held):
        thread = threading.Thread(target=lambda: held.append(bytearray(8000)))
        thread.start()
        thread.join()

    t = traced(target, args=([],), threads="current")
    assert len(t.trace.threads) == 1
    assert t.trace.line(target, target.__code__.co_firstlineno + 1).self.live_bytes < array(8000)


def test_target_that_uses_tracemalloc(traced):
    def target():
        tracemalloc.start()
        try:
            data = bytearray(8000)
            return tracemalloc.get_object_traceback(data) is not None
        finally:
            tracemalloc.stop()

    t = traced(target)
    assert t.result is True
    # tracemalloc's own table may grow in this line.
    assert t.trace.line(target, target.__code__.co_firstlineno + 3).self.live_bytes >= array(8000)


def test_running_tracemalloc_session_is_left_alone():
    tracemalloc.start()
    try:
        kept = bytearray(8000)
        trace = malloc_tracer.trace(plain, args=(8000,), quiet=True)
        assert trace.line(plain, plain.__code__.co_firstlineno + 1).self.live_bytes >= array(8000)
        assert tracemalloc.is_tracing()
        assert tracemalloc.get_object_traceback(kept) is not None
    finally:
        tracemalloc.stop()


def test_target_that_sets_a_profile_function(traced):
    def target():
        events = []
        sys.setprofile(lambda frame, event, arg: events.append(event))
        try:
            data = bytearray(8000)
        finally:
            sys.setprofile(None)
        return data, events

    t = traced(target)
    assert t.trace.line(target, target.__code__.co_firstlineno + 4).self.live_bytes == array(8000)
    assert "c_call" in t.result[1]


def test_running_profile_function_is_left_alone(traced):
    def profiler(frame, event, arg):
        seen.append(frame.f_code.co_name)

    seen = []
    sys.setprofile(profiler)
    try:
        trace = malloc_tracer.trace(plain, args=(8000,), quiet=True)
    finally:
        assert sys.getprofile() is profiler
        sys.setprofile(None)
    assert "plain" in seen
    assert trace.live_bytes >= array(8000)


def test_target_traced_by_an_outer_scope(traced):
    with malloc_tracer.Scope("outer") as scope:
        inner = malloc_tracer.trace(plain, args=(8000,), quiet=True)
    assert inner.live_bytes == array(8000)
    outer = scope.trace
    first = plain.__code__.co_firstlineno
    assert outer.line(plain, first + 1).self.live_bytes == array(8000)
    # Nothing of the tracer itself: only what `plain` allocates.
    assert outer.allocated_bytes == inner.allocated_bytes


def test_tracer_inside_a_tracer(traced):
    def outer():
        inner = malloc_tracer.trace(plain, args=(8000,), quiet=True)
        data = bytearray(100)  # live bytearray(100)
        return inner, data

    t = traced(outer)
    assert t.result[0].live_bytes == array(8000)
    assert t.trace.line(plain, plain.__code__.co_firstlineno + 1).self.live_bytes == array(8000)
    assert t.trace.line(outer, outer.__code__.co_firstlineno + 2).self.live_bytes == array(100)


def test_fork_inside_a_target(traced):
    def target():
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        return bytearray(8000)  # live bytearray(8000)

    t = traced(target)
    assert t.trace.line(target, target.__code__.co_firstlineno + 5).self.live_bytes == array(8000)
