"""Setup code: always runs, before the target; its names are seen while the target is traced, and only then."""

import pytest

import malloc_tracer
from sizes import ARGUMENT, array

value = 1
log = []


def uses():
    log.append("target")
    return value, extra  # noqa: F821


def bumps():
    global value
    value += 1
    return value


@pytest.fixture(autouse=True)
def globals_stay_as_they_are():
    before = dict(globals())
    del log[:]
    yield
    assert globals() == before


def test_names_are_there_while_traced_and_gone_afterwards(traced):
    assert traced(uses, ctime_setup="extra = 5").result == (1, 5)
    assert traced(uses, rtime_setup="extra = 6; value = 7").result == (7, 6)
    assert traced(uses, ctime_setup="extra = 5", rtime_setup="extra += 1").result == (1, 6)
    with pytest.raises(NameError):
        uses()


def test_names_go_even_if_the_target_raises():
    def target():
        raise KeyError(extra)  # noqa: F821

    with pytest.raises(KeyError, match="5"):
        malloc_tracer.trace(target, ctime_setup="extra = 5", quiet=True)
    assert "extra" not in globals()


def test_setup_sees_the_targets_globals(traced):
    assert traced(uses, rtime_setup="extra = value + 10").result == (1, 11)


def test_setup_runs_before_the_target_and_every_time():
    tracer = malloc_tracer.Tracer(uses, setup="log.append('constructor'); extra = []")
    assert log == ["constructor"]
    tracer.trace(setup="log.append('trace'); extra.append(1)", quiet=True)
    trace = tracer.trace(setup="log.append('trace'); extra.append(2)", quiet=True)
    assert log == ["constructor", "trace", "target", "trace", "target"]
    assert trace.result == (1, [1, 2])


@pytest.mark.parametrize("enable_auto_resolve", [True, False])
def test_setup_runs_whatever_enable_auto_resolve_says(traced, enable_auto_resolve):
    t = traced(uses, ctime_setup="extra = 5", enable_auto_resolve=enable_auto_resolve)
    assert t.result == (1, 5)


def test_setup_as_1_7_needed_it_leaves_the_targets_own_writes(traced):
    global value
    assert traced(bumps, rtime_setup=f"from {__name__} import value, log").result == 2
    assert value == 2
    value = 1


def test_functions_of_the_setup_see_each_other_and_keep_working(traced):
    t = traced(uses, ctime_setup="import math\ndef half(x): return math.floor(x / 2)\ndef extra(): return half(9)")
    assert t.result[1]() == 4


def test_setup_is_not_counted(traced):
    def target():
        return bytearray(8000)  # live bytearray(8000)

    t = traced(target, ctime_setup="x = bytearray(50_000)", rtime_setup="y = bytearray(50_000)").as_marked()
    assert t.trace.allocated_bytes == array(8000) + ARGUMENT


def test_what_setup_raises_goes_on_and_the_target_does_not_run():
    with pytest.raises(ZeroDivisionError):
        malloc_tracer.trace(uses, rtime_setup="1 / 0", quiet=True)
    assert log == []


def test_setup_for_a_target_without_globals(traced):
    assert traced(len, args=("abc",), ctime_setup="import math", rtime_setup="math.pi").result == 3
