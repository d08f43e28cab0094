"""The interface: names, signatures, what an import costs, refused interpreters."""

import enum
import errno
import inspect
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import malloc_tracer
from malloc_tracer import _interpreter


def test_names():
    assert malloc_tracer.__all__ == sorted(malloc_tracer.__all__)
    assert {"Scope", "Trace", "Tracer", "RelatedTracesOutputMode", "MallocTracerError", "profile", "trace"} <= set(
        malloc_tracer.__all__
    )
    public = {name for name in dir(malloc_tracer) if not name.startswith("_")}
    assert public - {"cli"} == set(malloc_tracer.__all__)
    for name in ("MallocTracerError", "RelatedTracesOutputMode", "Scope", "Trace", "Tracer", "profile", "trace"):
        assert len(getattr(malloc_tracer, name).__doc__) > 100


def test_there_is_one_version():
    cmake = Path(__file__).parents[2] / "CMakeLists.txt"
    assert re.search(r"project\(malloc_tracer VERSION ([0-9.]+)", cmake.read_text())[1] == malloc_tracer.__version__


def test_package_is_typed():
    assert (Path(malloc_tracer.__file__).parent / "py.typed").exists()


def parameters(function):
    return [(p.name, p.kind.name, p.default) for p in inspect.signature(function).parameters.values()]


def test_signatures_of_1_7():
    none = malloc_tracer.RelatedTracesOutputMode.NONE
    assert parameters(malloc_tracer.Tracer)[1:] == [
        ("enable_auto_resolve", "POSITIONAL_OR_KEYWORD", True),
        ("setup", "POSITIONAL_OR_KEYWORD", "pass"),
    ]
    new = [
        ("args", "KEYWORD_ONLY", ()),
        ("file", "KEYWORD_ONLY", None),
        ("quiet", "KEYWORD_ONLY", False),
        ("threads", "KEYWORD_ONLY", "all"),
    ]
    old = [
        ("target_args", None),
        ("setup", "pass"),
        ("related_traces_output_mode", none),
        ("include_patterns", None),
        ("exclude_patterns", None),
    ]
    expected = [(name, "POSITIONAL_OR_KEYWORD", default) for name, default in old] + new
    tracer = malloc_tracer.Tracer(len)
    assert parameters(tracer.trace) == expected
    assert parameters(tracer.trace_async) == expected
    assert parameters(malloc_tracer.Tracer.trace)[1:] == expected
    assert parameters(malloc_tracer.trace)[1:] == [
        ("target_args", "KEYWORD_ONLY", None),
        ("enable_auto_resolve", "KEYWORD_ONLY", True),
        ("ctime_setup", "KEYWORD_ONLY", "pass"),
        ("rtime_setup", "KEYWORD_ONLY", "pass"),
        ("related_traces_output_mode", "KEYWORD_ONLY", none),
        ("include_patterns", "KEYWORD_ONLY", None),
        ("exclude_patterns", "KEYWORD_ONLY", None),
        *new,
    ]


def test_positional_use_as_in_1_7(capsys):
    tracer = malloc_tracer.Tracer(len, True, "pass")
    trace = tracer.trace({"obj": "abc"}, "pass", malloc_tracer.RelatedTracesOutputMode.NONE, None, None)
    assert trace.result == 3
    assert tracer.last_trace is trace
    assert malloc_tracer.Tracer(len).last_trace is None


def test_documentation_of_the_frameless_functions():
    assert malloc_tracer.trace.__name__ == "trace"
    assert malloc_tracer.trace.__module__.startswith("malloc_tracer")
    assert malloc_tracer.Tracer.trace.__qualname__ == "Tracer.trace"
    assert "target_args" in malloc_tracer.trace.__doc__
    assert "target_args" in malloc_tracer.Tracer.trace.__doc__
    assert "target_args" in malloc_tracer.Tracer(len).trace.__doc__


def test_tracer_can_be_subclassed():
    class Mine(malloc_tracer.Tracer):
        def trace(self, *args, **kwargs):
            return super().trace(*args, quiet=True, **kwargs)

    assert Mine(len).trace(args=("abc",)).result == 3


def test_related_traces_output_mode_is_that_of_1_7():
    mode = malloc_tracer.RelatedTracesOutputMode
    assert issubclass(mode, enum.Enum)
    assert {member.name: member.value for member in mode} == {"NONE": 0, "FOR_EACH_FILE": 1, "IN_DESCENDING_ORDER": 2}


@pytest.fixture
def loaded_by(python):
    """The modules that a piece of code loads which a bare interpreter has not loaded."""
    folder = str(Path(malloc_tracer.__file__).parents[1])

    def loaded_by(code):
        return set(
            python(
                "-I",
                "-c",
                f"import sys; sys.path.insert(0, {folder!r}); old = set(sys.modules); {code}; "
                "print(*sorted(set(sys.modules) - old))",
            ).split()
        )

    return loaded_by


def test_import_loads_the_engine_alone(loaded_by):
    loaded = loaded_by("import malloc_tracer")
    assert loaded - {"atexit"} == {"malloc_tracer", "malloc_tracer._engine", "malloc_tracer._interpreter"}


def test_first_use_loads_the_whole_interface_and_nothing_heavy(loaded_by):
    loaded = loaded_by("import malloc_tracer; malloc_tracer.load")
    everything = "; ".join(f"malloc_tracer.{name}" for name in malloc_tracer.__all__)
    assert loaded_by(f"import malloc_tracer; {everything}") == loaded
    assert {"malloc_tracer._tracer", "malloc_tracer._scope", "malloc_tracer._profile"} <= loaded
    heavy = {"asyncio", "inspect", "typing", "dataclasses", "sysconfig", "tokenize", "numpy", "rich", "threading"}
    assert not heavy & loaded


def test_the_command_line_loads_the_interface_before_it_records(loaded_by):
    assert "malloc_tracer._interface" in loaded_by("import malloc_tracer.cli._recorder")


def test_the_package_has_the_names_of_its_interface_and_no_others(python):
    folder = str(Path(malloc_tracer.__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {folder!r}); import malloc_tracer; "
    assert set(malloc_tracer.__all__) <= set(python("-I", "-c", code + "print(*dir(malloc_tracer))").split())
    assert python("-I", "-c", code + "from malloc_tracer import *; print(Scope.__name__)").strip() == "Scope"
    assert python("-I", "-c", code + "print(hasattr(malloc_tracer, 'scope'))").strip() == "False"
    with pytest.raises(AttributeError, match="^module 'malloc_tracer' has no attribute 'scope'$"):
        malloc_tracer.scope  # noqa: B018
    with pytest.raises(AttributeError, match="^module 'malloc_tracer' has no attribute '_nothing'$"):
        malloc_tracer._nothing  # noqa: B018


VERSION = "{}.{}".format(*sys.version_info[:2])


@pytest.mark.parametrize(
    ("interpreter", "sentence"),
    [
        (
            {"implementation": SimpleNamespace(name="pypy")},
            f"malloc_tracer needs CPython 3.9 to 3.15; this is pypy {VERSION}: run the program with CPython",
        ),
        ({"version_info": (3, 8, 18)}, "this is 3.8, which is too old: run the program with a newer one"),
        (
            {"version_info": (3, 99, 0)},
            "this is 3.99, whose frames it does not know yet: look for a newer malloc_tracer",
        ),
        (
            {"abiflags": "t", "version_info": (3, 13, 0)},
            "this is the free-threaded build of 3.13: run the program with 3.14t or newer, or with the GIL",
        ),
        ({"gettotalrefcount": lambda: 0}, f"as released; this is a debug build of {VERSION}: use a release build"),
    ],
)
def test_unsupported_interpreters_are_refused_in_one_sentence(monkeypatch, interpreter, sentence):
    fake = SimpleNamespace(implementation=sys.implementation, version_info=sys.version_info, abiflags=sys.abiflags)
    vars(fake).update(interpreter)
    monkeypatch.setattr(_interpreter, "sys", fake)
    with pytest.raises(ImportError, match=re.escape(sentence)) as caught:
        _interpreter.check()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("refusal", [OSError(errno.EINVAL, "Invalid argument"), ValueError("unrecognized name")])
def test_another_c_library_is_refused_in_one_sentence(monkeypatch, refusal):
    def confstr(name):  # musl's gives the first of these
        raise refusal

    monkeypatch.setattr(os, "confstr", confstr)
    with pytest.raises(ImportError, match="on glibc; this one has another C library: run the program where glibc is"):
        _interpreter.check()


def test_missing_extension_module_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "malloc_tracer._engine", None)
    with pytest.raises(ImportError, match=r"malloc_tracer's extension module does not load in CPython 3\.\d+: .*pip"):
        _interpreter.check()


def test_failing_self_test_refuses_to_import(monkeypatch):
    monkeypatch.setattr("malloc_tracer._engine.self_test", lambda: "malloc_tracer does not know this build.")
    with pytest.raises(ImportError, match="does not know this build"):
        _interpreter.check()


@pytest.mark.skipif(sys.version_info < (3, 13), reason="the interpreter publishes its layout from 3.13 on")
def test_an_interpreter_of_another_layout_is_refused_in_one_sentence(python):
    folder = str(Path(malloc_tracer.__file__).parents[1])
    code = f"""if True:
        import ctypes, sys
        sys.path.insert(0, {folder!r})
        ctypes.c_char.in_dll(ctypes.pythonapi, "_PyRuntime").value = b"y"  # xdebugpy, then the offsets
        try:
            import malloc_tracer
        except ImportError as error:
            print(error)
    """
    out = python("-I", "-c", code)
    assert out.startswith("malloc_tracer was compiled for another build of CPython 3.")
    assert out.count("\n") == 1
