"""A target that raises: listing printed, exception untouched, none of our frames in its traceback."""

import asyncio
import functools
import io
import sys
import traceback

import pytest

import malloc_tracer
from sizes import array


class Mine(Exception):
    pass


def names(error):
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def files(error):
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)]


def failing(error):
    data = bytearray(8000)  # live bytearray(8000)
    raise error


def generator(error):
    yield 1
    raise error


async def coroutine(error):
    await asyncio.sleep(0)
    raise error


async def async_generator(error):
    yield 1
    raise error


def passing(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)

    return wrapper


class Klass:
    def __init__(self, error):
        raise error

    @property
    def prop(self):
        raise Mine


def test_exception_is_the_very_object_and_the_listing_is_printed(traced):
    error = Mine("x")
    out = io.StringIO()
    tracer = malloc_tracer.Tracer(failing)
    with pytest.raises(Mine) as caught:
        tracer.trace(args=(error,), file=out)
    assert caught.value is error
    assert error.args == ("x",)
    assert error.__context__ is None
    assert error.__cause__ is None
    assert not hasattr(error, "__notes__")
    assert "       7.9 KiB        data = bytearray(8000)  # live bytearray(8000)\n" in out.getvalue()
    assert tracer.last_trace.live_bytes >= array(8000)  # and the traceback's entry
    assert tracer.last_trace.result is None
    assert tracer.last_trace.line(failing, failing.__code__.co_firstlineno + 1).self.live_count == 2


@pytest.mark.parametrize("trace", [malloc_tracer.trace, lambda f, **k: malloc_tracer.Tracer(f).trace(**k)])
def test_traceback_goes_from_the_caller_to_the_target(trace):
    with pytest.raises(Mine) as caught:
        trace(failing, args=(Mine(),), quiet=True)
    assert names(caught.value)[-1:] == ["failing"]
    assert not [file for file in files(caught.value) if "malloc_tracer/_" in file]
    assert names(caught.value)[-2] in (sys._getframe().f_code.co_name, "<lambda>")


@pytest.mark.parametrize("target", [generator, coroutine, async_generator, Klass, passing(failing), passing(generator),
                                    passing(coroutine), passing(async_generator)])  # fmt: skip
def test_no_frame_of_ours_in_any_kind_of_traceback(target):
    with pytest.raises(Mine) as caught:
        malloc_tracer.trace(target, args=(Mine(),), quiet=True)
    assert not [file for file in files(caught.value) if "malloc_tracer/_" in file]
    assert names(caught.value)[0] == sys._getframe().f_code.co_name


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), StopIteration(4), MemoryError()]
)
def test_every_exception_goes_on(error, capsys):
    with pytest.raises(type(error)) as caught:
        malloc_tracer.trace(failing, args=(error,))
    assert caught.value is error
    assert "<< Target traces >>" in capsys.readouterr().out


def test_exception_while_another_is_handled_keeps_its_context():
    with pytest.raises(Mine) as caught:
        try:
            raise ValueError("first")
        except ValueError:
            malloc_tracer.trace(failing, args=(Mine(),), quiet=True)
    assert isinstance(caught.value.__context__, ValueError)


def test_exception_is_not_visible_as_handled_after_the_call():
    with pytest.raises(Mine):
        malloc_tracer.trace(failing, args=(Mine(),), quiet=True)
    assert sys.exc_info() == (None, None, None)


def test_a_listing_that_cannot_be_written_does_not_hide_the_exception(capsys):
    class Broken:
        def write(self, text):
            raise OSError("disk full")

    with pytest.raises(Mine):
        malloc_tracer.trace(failing, args=(Mine(),), file=Broken())
    assert "disk full" in capsys.readouterr().err
    with pytest.raises(OSError, match="disk full"):
        malloc_tracer.trace(len, args=("",), file=Broken())


def test_uncaught_exception_prints_the_callers_and_the_targets_lines(python, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("""import malloc_tracer, sys, traceback
def target():
    raise KeyError(1)
try:
    malloc_tracer.trace(target, quiet=True)
except KeyError:
    traceback.print_exc(file=sys.stdout)
""")
    assert [line.strip() for line in python(str(script)).splitlines() if line.startswith("  File")] == [
        f'File "{script}", line 5, in <module>',
        f'File "{script}", line 3, in target',
    ]


def test_failing_property(traced):
    with pytest.raises(Mine):
        malloc_tracer.trace(Klass.prop, args=(object.__new__(Klass),), quiet=True)
