"""Refuses interpreters the engine was not built for, in one sentence, before the rest of the package is imported."""

import os
import sys

OLDEST, NEWEST, OLDEST_FREE_THREADED = (3, 9), (3, 15), (3, 14)


def complaint() -> str:
    """Returns why malloc_tracer cannot work in this interpreter, or "" if it can."""
    wanted = "malloc_tracer needs CPython {}.{} to {}.{}".format(*OLDEST, *NEWEST)
    version = "{}.{}".format(*sys.version_info[:2])
    if sys.implementation.name != "cpython":
        return f"{wanted}; this is {sys.implementation.name} {version}: run the program with CPython."
    if sys.version_info[:2] < OLDEST:
        return f"{wanted}; this is {version}, which is too old: run the program with a newer one."
    if sys.version_info[:2] > NEWEST:
        return f"{wanted}; this is {version}, whose frames it does not know yet: look for a newer malloc_tracer."
    if "t" in sys.abiflags and sys.version_info[:2] < OLDEST_FREE_THREADED:
        newer = "{}.{}t or newer".format(*OLDEST_FREE_THREADED)
        return f"{wanted}; this is the free-threaded build of {version}: run the program with {newer}, or with the GIL."
    if hasattr(sys, "gettotalrefcount"):
        return f"{wanted} as released; this is a debug build of {version}: use a release build."
    if not _on_glibc():
        return (
            f"{wanted} on glibc; this one has another C library: run the program where glibc is (Debian, not Alpine)."
        )
    try:
        from ._engine import self_test
    except ImportError as error:
        sentence = f"malloc_tracer's extension module does not load in CPython {version}: {error}"
        return f"{sentence}; install it with this interpreter's pip"
    return self_test()


def _on_glibc() -> bool:
    # The C library itself is asked: before 3.11 an interpreter on musl calls its platform "gnu" too.
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (AttributeError, OSError, ValueError):  # Windows has no such function, musl and macOS no such name
        return False


def check() -> None:
    """Raises `ImportError` with the sentence of `complaint`, if there is one."""
    sentence = complaint()
    if sentence:
        raise ImportError(sentence, name="malloc_tracer")


check()
