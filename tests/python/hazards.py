"""Programs whose stacks change behind the barriers' back: each is run inside a scope by test_engine_barriers.

As a script, in a checked build (scripts/build-dev -DMALLOC_TRACER_CHECKED=ON), it runs them again and again until that
many events have been compared with a walk from scratch; the first that differs would stop the process:

    python tests/python/hazards.py --events 10000000 [--seed 1]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import sys
import threading

from malloc_tracer import _engine

CHANCE = random.Random(1)
KEPT = []


def scope(body):
    handle = _engine.ScopeHandle("hazard", True)
    return handle.run(body, (), None, None)


def down(depth, leaf=None, wiggle=0):
    """Recursion that allocates on the way down and up; with `wiggle` some levels call a few others in between."""
    mine = [depth]
    if depth == 0:
        return leaf() if leaf else mine
    deeper = down(depth - 1, leaf, wiggle)
    if wiggle and depth % wiggle == 0:
        for _ in range(3):
            down(min(depth // 2, 9))
            mine.append([depth])
    return [deeper and 1]


def ups_and_downs():
    for _ in range(40):
        down(CHANCE.randrange(90), None, CHANCE.randrange(1, 30))


def silent(depth, leaf):
    return silent(depth - 1, leaf) if depth else leaf()


def one():
    return [1]


def same_addresses_other_line():
    """No event between the calls: a popped chunk may be pushed again unseen, with another line below."""
    for depth in range(3, 420, 9):
        silent(depth, one)
        silent(depth, one)
        (silent(depth, one), silent(depth, one))


def numbers():
    while True:
        item = [1]
        yield [item]


def delegating(depth):
    yield from (delegating(depth - 1) if depth else numbers())


def generators_under_other_callers():
    made = [numbers(), delegating(5), delegating(40)]
    for each in made:
        next(each)
    for _ in range(300):
        down(CHANCE.randrange(60), lambda: [next(CHANCE.choice(made)) for _ in range(3)])
    box = [None]

    def make():
        box[0] = delegating(3)
        next(box[0])

    for _ in range(100):
        down(CHANCE.randrange(50), make)
        down(CHANCE.randrange(50), lambda: next(box[0]))
        down(CHANCE.randrange(50), box[0].close)


async def awaiting(depth):
    mine = [depth]
    await asyncio.sleep(0)
    return [await awaiting(depth - 1), mine] if depth else down(CHANCE.randrange(50))


def tasks():
    async def main():
        await asyncio.gather(*[awaiting(CHANCE.randrange(60)) for _ in range(25)])

    for _ in range(3):
        down(CHANCE.randrange(40), lambda: asyncio.run(main()))


def raising(depth, caught_at):
    mine = [depth]
    try:
        if depth == 0:
            raise ValueError([depth])
        raising(depth - 1, caught_at)
    except ValueError:
        mine = [depth] * 2
        if depth % caught_at:
            raise
    finally:
        mine.append([depth])


def exceptions():
    for _ in range(60):
        try:
            raising(CHANCE.randrange(1, 200), CHANCE.choice((7, 50, 1000)))
        except ValueError as error:
            KEPT.append(error)
        KEPT.clear()
        down(CHANCE.randrange(40))


def endless(depth):
    return [endless(depth + 1)]


def recursion_errors():
    limit = sys.getrecursionlimit()
    try:
        for most in (500, 2000, 5000):
            sys.setrecursionlimit(most)
            try:
                endless(0)
            except RecursionError:
                down(0)
            down(100)
        sys.setrecursionlimit(30_000)
        down(4000)
    finally:
        sys.setrecursionlimit(limit)
    ups_and_downs()


class Chained:
    """Reaches the next of its kind through C code in every way there is."""

    __slots__ = ("next", "own")

    def __init__(self, count):
        self.own = [count]
        self.next = Chained(count - 1) if count else None

    def __eq__(self, other):
        return [self.own] == [other.own] and self.next == other.next

    def __hash__(self):
        return 1

    def __del__(self):
        return [self.own]

    @property
    def length(self):
        return [self.next.length if self.next else 0]

    def __getitem__(self, index):
        return [self.next[index] if self.next else index]


class Plain:
    def __init__(self, depth):
        self.own = [depth]
        self.next = Plain(depth - 1) if depth else None


def calls_from_c():
    for _ in range(20):
        one, other = Chained(CHANCE.randrange(90)), Chained(CHANCE.randrange(90))
        KEPT.append(one == other)
        KEPT.append((one.length, one[3], Plain(CHANCE.randrange(90))))
        sorted(range(5), key=lambda i: down(i * 9))
        KEPT.clear()
        del one, other
        list(map(down, [3, 30, 60]))
        gc.collect(0)


def frames_that_are_kept():
    for _ in range(60):
        down(CHANCE.randrange(80), lambda: KEPT.append(sys._getframe()))
        down(20, lambda: [frame.f_back for frame in KEPT[-3:]])
    KEPT.clear()


def hot_loops():
    """What a just-in-time compiler compiles, around the depths where barriers are."""

    def pair(a, b):
        return (a, b)

    def either(i):
        return pair(i, [i]) if i & 1 else pair([i], i)

    def loop():
        total = 0
        for i in range(900):
            total += len(either(i))
        return total

    for depth in (0, *range(1, 20), 31, 40, 63):
        down(depth, loop)
    for _ in range(60):
        down(50)


def threads():
    started = [threading.Thread(target=ups_and_downs) for _ in range(6)]
    for each in started:
        each.start()
    ups_and_downs()
    for each in started:
        each.join()


def tools_switched_on():
    def trace(frame, event, argument):
        KEPT.append([event])
        KEPT.clear()
        return trace

    for switch in (sys.settrace, sys.setprofile):
        switch(trace)
        try:
            ups_and_downs()
        finally:
            switch(None)
        ups_and_downs()
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is None:
        return
    events = monitoring.events
    tool = next(i for i in range(6) if monitoring.get_tool(i) is None)
    monitoring.use_tool_id(tool, "hazard")
    for event in (events.PY_START, events.PY_RETURN, events.CALL):
        monitoring.register_callback(tool, event, lambda *_: down(CHANCE.randrange(20)) and None)
    down(40, lambda: monitoring.set_events(tool, events.PY_START | events.PY_RETURN | events.CALL))
    down(30)
    monitoring.set_events(tool, 0)
    down(60)
    monitoring.free_tool_id(tool)


def forks():
    me = os.getpid()
    done = threading.Event()
    deep = threading.Thread(target=lambda: down(70, done.wait))
    deep.start()

    def fork():
        child = os.fork()
        if child == 0:
            down(50)
            return [7]
        assert os.waitpid(child, 0)[1] == 0
        return None

    for depth in (3, 40, 100):
        try:
            down(depth, fork)
            if os.getpid() != me:
                scope(ups_and_downs)
                os._exit(0)
        finally:
            if os.getpid() != me:
                os._exit(2)
    done.set()
    deep.join()


def scopes_in_the_middle():
    for _ in range(30):
        inner = _engine.ScopeHandle("inner", CHANCE.random() < 0.5)

        def leaf():
            inner.enter()
            down(CHANCE.randrange(60))
            inner.leave()

        down(CHANCE.randrange(100), lambda: down(CHANCE.randrange(50), leaf, 3), 4)


def first_scope_deep_down():
    """Called with no scope open: barriers of an earlier one may still be alive."""
    down(300, lambda: down(200, lambda: scope(lambda: down(50, None, 5)), 3), 7)
    scope(ups_and_downs)


def programs_at_random():
    made = [numbers(), delegating(20)]
    for each in made:
        next(each)

    def step(depth, most):
        mine = [depth]
        for _ in range(CHANCE.randrange(1, 4)):
            chance = CHANCE.random()
            if depth < most and chance < 0.55:
                step(depth + 1, most)
            elif chance < 0.65:
                mine = [[next(CHANCE.choice(made))] for _ in range(2)]
            elif chance < 0.75:
                mine = Chained(CHANCE.randrange(30)).length
            elif chance < 0.85:
                down(CHANCE.randrange(40), None, CHANCE.randrange(1, 6))
            elif chance < 0.9:
                sorted([3, 2, 1], key=lambda q: [q])
            else:
                try:
                    raising(CHANCE.randrange(1, 40), 1000)
                except ValueError:
                    pass
        return [mine]

    for _ in range(20):
        step(0, CHANCE.randrange(40))


def greenlets():
    from greenlet import getcurrent, greenlet

    hub = getcurrent()

    def body():
        while True:
            down(CHANCE.randrange(70), lambda: hub.switch() if CHANCE.random() < 0.8 else None, CHANCE.randrange(1, 9))
            if CHANCE.random() < 0.05:
                return

    green = [greenlet(body) for _ in range(12)]
    for _ in range(1500):
        if CHANCE.random() < 0.3:
            down(CHANCE.randrange(60), lambda: CHANCE.choice(green).switch(), CHANCE.randrange(1, 9))
        else:
            CHANCE.choice(green).switch()
        i = CHANCE.randrange(len(green))
        if green[i].dead or CHANCE.random() < 0.03:
            green[i] = greenlet(body)  # drops one that has not finished
        if CHANCE.random() < 0.02:
            green[i].throw()
            green[i] = greenlet(body)

    def nested(levels):
        return greenlet(lambda: down(20, lambda: nested(levels - 1).switch() if levels else hub.switch()))

    for _ in range(20):
        down(CHANCE.randrange(60), nested(6).switch)


def greenlets_freed_by_another_thread():
    from greenlet import getcurrent, greenlet

    def other():
        hub = getcurrent()
        for depth in (60, 40):
            green = greenlet(lambda depth=depth: down(depth, hub.switch))
            green.switch()
            KEPT.append(green)
        down(30)

    for _ in range(10):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        KEPT.clear()
        down(40)
        gc.collect()


def gevent_pools():
    import gevent
    import gevent.pool

    def work(i):
        for _ in range(4):
            down(CHANCE.randrange(50), lambda: gevent.sleep(0), CHANCE.randrange(1, 9))
        return [i]

    gevent.pool.Pool(8).map(work, range(20))
    left = [gevent.spawn(lambda: down(60, lambda: gevent.sleep(9))) for _ in range(5)]
    gevent.sleep(0)
    gevent.killall(left)
    down(50)


INTERPRETER = """
import sys
sys.setrecursionlimit(5000)
def down(n):
    mine = [n]
    return [down(n - 1)] if n else mine
for i in range(150):
    down(i % 90)
"""


def new_interpreter():
    """A function that runs code in an interpreter with a GIL of its own, and one that ends that."""
    if sys.version_info >= (3, 14):
        from concurrent import interpreters

        made = interpreters.create()
        return made.exec, made.close
    if sys.version_info >= (3, 13):
        import _interpreters as low

        number = low.create("isolated")
    elif sys.version_info >= (3, 12):
        import _xxsubinterpreters as low

        number = low.create(isolated=True)
    else:
        raise ImportError("an interpreter has a GIL of its own from Python 3.12 on")
    return lambda code: low.run_string(number, code), lambda: low.destroy(number)


def interpreters():
    def once():
        run, close = new_interpreter()
        run(INTERPRETER)
        down(40, lambda: run(INTERPRETER))
        close()

    down(50, once)
    started = [threading.Thread(target=lambda: down(30, once)) for _ in range(3)]
    for each in started:
        each.start()
    for each in started:
        each.join()
    down(60)


HAZARDS = [
    same_addresses_other_line,
    ups_and_downs,
    generators_under_other_callers,
    tasks,
    exceptions,
    recursion_errors,
    calls_from_c,
    frames_that_are_kept,
    hot_loops,
    threads,
    tools_switched_on,
    forks,
    scopes_in_the_middle,
    programs_at_random,
    greenlets,
    greenlets_freed_by_another_thread,
    gevent_pools,
    interpreters,
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    CHANCE.seed(options.seed)
    missing = set()
    while True:
        before = _engine.checks()[0]
        for hazard in HAZARDS:
            try:
                scope(hazard)
            except ImportError as error:
                missing.add(f"{hazard.__name__}: {error}")
        first_scope_deep_down()
        events, _ = _engine.checks()
        if events >= options.events or events == before:
            break
    for each in sorted(missing):
        print("skipped", each)
    jit = getattr(sys, "_jit", None)
    print(sys.version.split()[0], "JIT" if jit and jit.is_enabled() else "no JIT", f"{events} events, none differs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
