"""Bad input: an error that names the argument and says what to pass instead, before the target runs."""

import pytest

import malloc_tracer
from malloc_tracer import RelatedTracesOutputMode, Scope, Tracer, profile, trace
from sizes import array

ran = []


def target(x, y=2):
    ran.append(x)


def positional(x, /):
    ran.append(x)


def keyword(*, z):
    ran.append(z)


@pytest.fixture(autouse=True)
def nothing_ran():
    del ran[:]
    yield
    assert ran == []


@pytest.mark.parametrize("make", [trace, Tracer])
@pytest.mark.parametrize("wrong", [3, None, "func", object(), (target,)])
def test_target_must_be_callable(make, wrong):
    with pytest.raises(TypeError, match="target must be callable, or a property"):
        make(wrong)


def test_coroutine_object_is_no_target():
    async def main():
        pass

    made = main()
    with pytest.raises(TypeError, match=r"target must be callable.*coroutine"):
        trace(made)
    made.close()


def test_property_without_getter():
    with pytest.raises(TypeError, match="no getter; pass the function"):
        Tracer(property(None, lambda self, value: None))


@pytest.mark.parametrize(
    ("function", "kwargs", "message"),
    [
        (target, {}, r"target\(x, y\) misses the argument 'x'; pass target_args={'x': ...} or its value in args"),
        (target, {"target_args": {"y": 1}}, "misses the argument 'x'"),
        (positional, {}, r"positional\(x\) misses the argument 'x'"),
        (keyword, {}, "misses the argument 'z'"),
        (target, {"target_args": {"x": 1, "q": 3}}, r"has no argument 'q'; leave it out of target_args"),
        (target, {"args": (1, 2, 3)}, "takes at most 2 positional arguments; args has 3"),
        (
            target,
            {"args": (1,), "target_args": {"x": 1}},
            "gets the argument 'x' twice; pass it in args or in target_args",
        ),
        (positional, {"args": (1,), "target_args": {"x": 1}}, "gets the argument 'x' twice"),
        (target, {"target_args": 3}, "target_args must be a dict of argument names and values, not 3"),
        (target, {"target_args": ["x"]}, "target_args must be a dict"),
        (target, {"target_args": {1: 2}}, "target_args: the name 1 .* is not a string"),
        (target, {"args": 3}, r"args must be a tuple of positional arguments such as \(1, 2\), not 3"),
        (target, {"args": "abc"}, "args must be a tuple"),
        (target, {"args": {"x": 1}}, "args must be a tuple"),
        (target, {"args": None}, "args must be a tuple"),
        (
            target,
            {"args": (1,), "include_patterns": 3},
            "include_patterns must be None or an iterable of fnmatch patterns",
        ),
        (target, {"args": (1,), "include_patterns": [b"x"]}, "include_patterns .* is not a string"),
        (target, {"args": (1,), "exclude_patterns": [None]}, "exclude_patterns .* is not a string"),
        (
            target,
            {"args": (1,), "file": "out.txt"},
            "file must be None .* or an object with a write method, not 'out.txt'",
        ),
        (target, {"args": (1,), "ctime_setup": 3}, "ctime_setup must be a string of Python code"),
        (target, {"args": (1,), "rtime_setup": None}, "rtime_setup must be a string of Python code"),
    ],
)
def test_type_errors(function, kwargs, message):
    with pytest.raises(TypeError, match=message):
        trace(function, **kwargs)


@pytest.mark.parametrize("mode", [7, 1, "FOR_EACH_FILE", None, RelatedTracesOutputMode])
def test_unknown_mode(mode):
    with pytest.raises(ValueError, match=r"related_traces_output_mode: unknown mode .*NONE, FOR_EACH_FILE, IN_DESC"):
        trace(target, args=(1,), related_traces_output_mode=mode)


@pytest.mark.parametrize("threads", ["some", None, 1, ["all"]])
def test_threads(threads):
    for call in (lambda: trace(target, args=(1,), threads=threads), lambda: Scope(threads=threads),
                 lambda: profile(threads=threads)):  # fmt: skip
        with pytest.raises(ValueError, match="threads must be 'all' or 'current'"):
            call()


def test_missing_argument_of_a_method_and_of_a_class():
    class Klass:
        def __init__(self, size):
            ran.append(size)

        def method(self, size):
            ran.append(size)

        @classmethod
        def cmethod(cls, size):
            ran.append(size)

        @property
        def prop(self):
            ran.append(1)

    for function in (Klass, object.__new__(Klass).method, Klass.cmethod, vars(Klass)["cmethod"]):
        with pytest.raises(TypeError, match="misses the argument 'size'"):
            trace(function)
    with pytest.raises(TypeError, match="misses the argument 'self'"):
        trace(Klass.prop)
    orphan = classmethod(lambda cls: ran.append(1))
    with pytest.raises(TypeError, match="misses the argument 'cls'"):
        trace(orphan)


def test_setup_that_does_not_compile():
    with pytest.raises(SyntaxError):
        Tracer(target, setup="def (")
    with pytest.raises(SyntaxError):
        Tracer(target).trace(args=(1,), setup="def (")


def test_tracer_arguments_have_their_own_names():
    tracer = Tracer(target)
    with pytest.raises(TypeError, match=r"^setup must be a string"):
        Tracer(target, setup=3)
    with pytest.raises(TypeError, match=r"^setup must be a string"):
        tracer.trace(args=(1,), setup=3)
    with pytest.raises(TypeError):
        tracer.trace(unknown=1)
    with pytest.raises(TypeError):
        trace(target, {"x": 1})  # all but the target are keyword-only


def test_wrong_values_with_a_broken_or_long_repr():
    class Broken:
        def __repr__(self):
            raise RuntimeError

    with pytest.raises(TypeError, match=r"not \.\.\. \(Broken\)"):
        trace(Broken())
    with pytest.raises(TypeError) as caught:
        trace([1] * 1000)
    assert len(str(caught.value)) < 200


def test_scope_and_profile_arguments():
    with pytest.raises(TypeError, match="name must be a string"):
        Scope(3)
    with pytest.raises(TypeError, match="name must be a string"):
        profile(name=3)
    with pytest.raises(TypeError, match="profile needs a Python function, not"):
        profile(len)
    with pytest.raises(TypeError, match="profile needs a Python function, not"):
        profile(type("Klass", (), {}))
    with pytest.raises(TypeError, match="profile needs a Python function, not"):
        profile(3)


def test_trace_arguments():
    done = trace(len, args=("",), quiet=True)
    with pytest.raises(ValueError, match="no column 'size'"):
        done.print(columns=("size",))
    with pytest.raises(TypeError, match="columns must be None or a sequence"):
        done.print(columns="live")
    with pytest.raises(TypeError, match="columns must be None or a sequence"):
        done.print(columns=3)
    with pytest.raises(ValueError, match="mode: unknown mode 1"):
        done.print(mode=1)
    with pytest.raises(TypeError, match="file must be"):
        done.print(file=3)
    with pytest.raises(ValueError, match="format: no report 'pdf'.*'text'"):
        done.report("pdf")
    with pytest.raises(TypeError, match="function_or_file must be"):
        done.line(len, 1)
    with pytest.raises(TypeError, match="number must be"):
        done.line(target, "1")


def test_errors_leave_recording_as_it_was():
    """A refused call must not leave this thread paused."""
    for _ in range(3):
        with pytest.raises(TypeError):
            trace(3)
    with malloc_tracer.Scope() as scope:
        data = bytearray(8000)
    assert scope.trace.live_bytes == array(8000)
    del data
