"""Call paths: the full one from the scope's own frame down, whatever the program does with its stack.

In a build made with `scripts/build-dev -DMALLOC_TRACER_CHECKED=ON` the engine compares every event's path with a walk
from scratch, and a difference stops the process.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import random
import sys
import threading

import pytest

from engine import check, named, nodes, path_of, paths, trace_block, trace_call
from malloc_tracer import _engine

KEPT = []


@pytest.fixture(autouse=True)
def all_paths_are_right():
    gc.disable()  # a collection allocates wherever it happens to come
    yield
    gc.enable()
    KEPT.clear()


def leaf(i=0):
    KEPT.append([i])


def middle():
    leaf()


def top():
    middle()
    leaf()


def test_a_path_has_every_function_from_the_scope_down():
    data, _ = trace_call(top)
    assert {"top > middle > leaf", "top > leaf"} <= paths(check(data))
    assert data.root.children[0].frame.function == "top"


def test_a_blocks_own_frame_is_the_calls_first():
    def here():
        top()

    data, _ = trace_block(here)
    assert "here > top > middle > leaf" in paths(check(data))


def test_the_lines_of_a_path_are_the_lines_of_the_calls():
    data, _ = trace_call(top)
    node = next(node for node in nodes(check(data)) if path_of(node) == ["top", "middle", "leaf"])
    first = {function.__name__: function.__code__.co_firstlineno for function in (top, middle, leaf)}
    lines = []
    while node.parent is not None:
        lines.append((node.frame.function, node.frame.line - first[node.frame.function]))
        node = node.parent
    assert lines == [("leaf", 1), ("middle", 1), ("top", 1)]


def test_two_calls_in_different_lines_are_two_nodes():
    def run():
        leaf()
        leaf()

    data, _ = trace_call(run)
    lines = {node.parent.frame.line for node in nodes(check(data)) if node.frame.function == "leaf"}
    assert len(lines) == 2


def down(depth):
    leaf(depth)
    if depth > 0:
        down(depth - 1)
        leaf(depth)


@pytest.mark.parametrize("depth", [1, 7, 8, 9, 30, 200])
def test_recursion_has_a_node_for_every_level(depth):
    data, _ = trace_call(down, depth)
    depths = {len(path_of(node)) for node in nodes(check(data)) if node.frame.function == "leaf"}
    assert depths == set(range(2, depth + 3))
    (line,) = [line for line in data.lines if line.function == "leaf"]
    assert line.total.live_count == line.self.live_count  # once, however often a line is on the stack
    assert max(line.total.live_count for line in data.lines if line.function == "down") <= data.sum.live_count


def test_deep_recursion():
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        data, _ = trace_call(down, 5_000)
    finally:
        sys.setrecursionlimit(limit)
    check_sum = sum(node.self.allocated_count for node in nodes(data))
    assert check_sum == data.sum.allocated_count
    assert max(len(path_of(node)) for node in list(nodes(data))[-3:]) > 1_000


def test_recursion_up_and_down_at_random():
    for seed in range(20):
        chance = random.Random(seed)

        steps = iter(range(3000))

        def walk(depth):
            while next(steps, None) is not None and chance.random() < 0.9:
                leaf()
                if depth < 150 and chance.random() < 0.8:
                    walk(depth + 1)
                if chance.random() < 0.1:
                    return
                leaf()

        data, _ = trace_call(walk, 0)
        for node in nodes(check(data)):
            names = path_of(node)
            if names and names[-1] == "leaf":
                assert set(names[:-1]) == {"walk"}


def produce(n):
    for i in range(n):
        leaf(i)
        yield [i]


def delegate(n):
    leaf()
    yield from produce(n)


def first_consumer(generator):
    return next(generator)


def second_consumer(generator):
    return middle_consumer(generator)


def middle_consumer(generator):
    return next(generator)


def test_a_generator_is_where_it_is_resumed():
    def run():
        generator = delegate(3)
        return [first_consumer(generator), second_consumer(generator), first_consumer(generator)]

    data, it = trace_call(run)
    assert {path for path in paths(check(data)) if path.endswith("leaf")} == {
        "run > first_consumer > delegate > leaf",
        "run > first_consumer > delegate > produce > leaf",
        "run > second_consumer > middle_consumer > delegate > produce > leaf",
    }
    del it


def test_generators_resumed_under_other_callers_at_random():
    chance = random.Random(1)

    def resume(generators, depth):
        if depth > 0:
            leaf()
            return resume(generators, depth - 1)
        generator = chance.choice(generators)
        return next(generator, None)

    def run():
        generators = [delegate(50) for _ in range(10)]
        return [resume(generators, chance.randrange(30)) for _ in range(1000)]

    data, it = trace_call(run)
    for path in paths(check(data)):
        names = path.split(" > ")
        assert names[0] == "run", path
        if "produce" in names:
            assert names[names.index("produce") - 1] == "delegate"
            assert names[names.index("delegate") - 1] == "resume"
    del it


def test_a_generator_resumed_in_another_thread():
    def program():
        generator = delegate(4)
        first_consumer(generator)
        thread = threading.Thread(target=second_consumer, args=(generator,))
        thread.start()
        thread.join()
        first_consumer(generator)

    data, _ = trace_block(program)
    found = {path for path in paths(check(data)) if path.endswith("produce > leaf")}
    assert "program > first_consumer > delegate > produce > leaf" in found
    assert any("second_consumer > middle_consumer > delegate > produce > leaf" in path for path in found)
    assert not any("program" in path.split(" > ") and "second_consumer" in path for path in found)


def test_a_comprehension_belongs_to_its_function():
    def run():
        return [[i] for i in range(10)], {i: [i] for i in range(10)}, list([i] for i in range(10))

    data, it = trace_call(run)
    names = {path.replace("run > ", "") for path in paths(check(data))}
    inlined = {"run", "<genexpr>"}
    assert names == (inlined if sys.version_info >= (3, 12) else inlined | {"<listcomp>", "<dictcomp>"})
    del it


class Meta(type):
    def __call__(cls, *args):
        return super().__call__(*args)


class Thing(metaclass=Meta):
    def __init__(self, n):
        self.kept = [n]

    def __eq__(self, other):
        leaf()
        return True

    def __hash__(self):
        leaf()
        return 1

    def __getattr__(self, name):
        leaf()
        return None


class Plain:
    def __init__(self, n):
        leaf(n)


def test_calls_from_c_code_have_their_python_callers():
    def key(x):
        leaf(x)
        return -x

    def run():
        sorted([3, 1, 2], key=key)
        {Thing(1), Thing(2)}
        functools.reduce(lambda a, b: leaf() or a, range(4))
        list(map(leaf, range(3)))
        Thing(1).missing
        return [Plain(i) for i in range(3)]

    data, it = trace_call(run)
    in_run = "run > " if sys.version_info >= (3, 12) else "run > <listcomp> > "
    assert {path for path in paths(check(data)) if path.endswith("> leaf")} == {
        "run > key > leaf",
        named("run > Thing.__hash__ > leaf"),
        named("run > Thing.__eq__ > leaf"),
        "run > <lambda> > leaf",
        "run > leaf",
        named("run > Thing.__getattr__ > leaf"),
        named(in_run + "Plain.__init__ > leaf"),
    }
    assert named("run > Meta.__call__ > Thing.__init__") in paths(data)
    del it


def raise_from(depth):
    leaf(depth)
    if depth == 0:
        raise ValueError([depth])
    try:
        raise_from(depth - 1)
    finally:
        leaf(depth)


def test_exceptions_through_many_frames():
    def run():
        for depth in (0, 1, 5, 8, 17, 60, 150):
            with contextlib.suppress(ValueError):
                raise_from(depth)
            leaf()

    data, _ = trace_call(run)
    depths = {len(path_of(node)) for node in nodes(check(data)) if node.frame.function == "leaf"}
    assert depths == set(range(2, 154))
    assert "run > leaf" in paths(data)


async def child(i):
    leaf(i)
    await asyncio.sleep(0)
    leaf(i)
    return [i]


async def parent(i):
    return await child(i), await asyncio.gather(child(i), child(i + 1))


async def everything():
    if sys.version_info < (3, 11):
        await asyncio.gather(*[parent(i) for i in range(20)])
        return
    async with asyncio.TaskGroup() as group:
        for i in range(20):
            group.create_task(parent(i))


def test_tasks():
    data, _ = trace_block(lambda: asyncio.run(everything()))
    found = {path for path in paths(check(data)) if path.endswith("child > leaf")}
    assert any(path.endswith("parent > child > leaf") for path in found)
    assert any(path.endswith("> child > leaf") and "parent" not in path for path in found)
    leaves = [node for node in nodes(data) if node.frame.function == "leaf"]
    lists = sum(node.self.live_count for node in leaves)
    assert lists >= 20 * 3 * 2


def test_threads():
    def job(seed):
        chance = random.Random(seed)

        def walk(depth):
            leaf()
            if depth < 60 and chance.random() < 0.9:
                walk(depth + 1)
            leaf()

        for _ in range(100):
            walk(0)

    def program():
        threads = [threading.Thread(target=job, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        data, _ = trace_block(program)
    finally:
        sys.setswitchinterval(interval)
    for path in paths(check(data)):
        names = path.split(" > ")
        if names[-1] == "leaf":
            assert names[-2] == "walk"
            at = names.index("job")
            assert set(names[at + 1 : -1]) == {"walk"}
            assert "program" not in names


def test_a_collection_in_the_middle_of_anything():
    def run():
        for depth in range(0, 60, 7):
            down(depth)
            list(produce(5))

    gc.enable()
    threshold = gc.get_threshold()
    gc.set_threshold(1)
    try:
        data, _ = trace_call(run)
    finally:
        gc.set_threshold(*threshold)
    assert {path.split(" > ")[0] for path in paths(check(data))} == {"run"}


def test_what_a_function_allocates_before_its_first_line_is_its_own():
    def run():
        cell = [1]
        return lambda: cell

    data, it = trace_call(run)
    assert [line.function.rpartition(".")[2] for line in check(data).lines] == ["run", "run"]
    del it


def test_exec_and_eval():
    def run():
        for i in range(100):
            exec(f"def made_{i}(f, n):\n    f()\n    if n: made_{i}(f, n - 1)\nmade_{i}(leaf, {i % 5})", {"leaf": leaf})
            eval(compile("leaf()", f"<{i}>", "eval"), {"leaf": leaf})

    data, _ = trace_call(run)
    found = paths(check(data))
    for i in range(100):
        assert "run > <module>" + f" > made_{i}" * (i % 5 + 1) + " > leaf" in found
    assert "run > <module> > leaf" in found


def test_profile_and_trace_functions_are_frames_like_others():
    def profile(frame, event, arg):
        if frame.f_code is middle.__code__:
            leaf()

    def run():
        sys.setprofile(profile)
        try:
            top()
        finally:
            sys.setprofile(None)

    data, _ = trace_call(run)
    assert {"run > top > middle > leaf", "run > top > leaf"} <= paths(check(data))
    assert "run > top > middle > profile > leaf" in paths(data)


def test_finalizers_are_called_where_the_object_dies():
    class Dies:
        def __del__(self):
            leaf()

    def drop(items):
        items.clear()

    def run():
        items = [Dies()]
        drop(items)

    data, _ = trace_call(run)
    assert named("run > drop > Dies.__del__ > leaf") in {path for path in paths(check(data))}


def test_greenlets():
    greenlets = pytest.importorskip("greenlet")
    greenlet, main = greenlets.greenlet, greenlets.getcurrent()
    chance = random.Random(3)
    green = []

    def job(i, depth):
        leaf(i)
        if depth > 0:
            job(i, depth - 1)
        else:
            for _ in range(5):
                leaf(i)
                main.switch()
                leaf(i)
        leaf(i)

    def run():
        green.extend(greenlet(job) for _ in range(10))
        for step in range(200):
            i = chance.randrange(10)
            if not green[i].dead:
                if green[i]:
                    green[i].switch()
                else:
                    green[i].switch(i, i * 7 % 40)
            leaf()

    data, _ = trace_block(run)
    for path in paths(check(data)):
        names = path.split(" > ")
        if names[-1] == "leaf" and "job" in names:
            assert set(names[names.index("job") : -1]) == {"job"}
    assert "run > leaf" in paths(data)


def test_scopes_that_come_and_go_in_the_middle_of_a_stack():
    chance = random.Random(5)

    def walk(depth, handles):
        leaf()
        if chance.random() < 0.2:
            handle = _engine.ScopeHandle("inner", chance.random() < 0.5)
            handle.enter()
            handles.append(handle)
        if handles and chance.random() < 0.2:
            handles.pop(chance.randrange(len(handles))).leave()
        if depth < 50 and chance.random() < 0.9:
            walk(depth + 1, handles)
        leaf()

    for _ in range(30):
        handles = []
        data, _ = trace_call(walk, 0, handles)
        for handle in handles:
            handle.leave()
        for node in nodes(check(data)):
            names = path_of(node)
            if names and names[-1] == "leaf":
                assert set(names[:-1]) == {"walk"}
