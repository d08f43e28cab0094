"""What the code that runs inside hooks may call: nothing that allocates, throws or goes back into the interpreter.

Needs a CMake build folder: MALLOC_TRACER_BUILD=build/py-3.13 pytest tests/python/test_hook_zone.py
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD = os.environ.get("MALLOC_TRACER_BUILD")
pytestmark = [
    pytest.mark.skipif(not BUILD, reason="needs MALLOC_TRACER_BUILD"),
    pytest.mark.skipif(not shutil.which("nm"), reason="needs nm"),
]

# Of each library: what its objects may leave to others, beside malloc_tracer's own functions.
MEMORY = {"memcpy", "memset", "memmove", "memcmp"}
LIBRARIES = {
    "src/memory/libmt_memory.a": MEMORY,
    "src/capture/libmt_capture.a": MEMORY,
    "src/platform/libmt_platform.a": MEMORY
    | {
        "clock_gettime", "madvise", "prctl", "sched_yield", "syscall", "__errno_location", "pthread_atfork",
        "pthread_key_create", "pthread_setspecific", "pthread_getspecific",
    },
    "src/capture/native/libmt_capture_native.a": MEMORY | {"__errno_location", "strcmp", "strlen"},
}  # fmt: skip
# Not hooks: they run while a scope opens or when its result is made.
NOT_IN_THE_ZONE = {"snapshot_maker.cpp.o"}
# Looks at modules with no hook of its own under way, and never allocates.
MODULES = {
    "_dl_find_object", "close", "dl_iterate_phdr", "getauxval", "mprotect", "open", "read", "strchr", "strcmp",
    "strstr", "strtoul", "__isoc23_strtoul",
}  # fmt: skip
EXTRA = {
    "modules.cpp.o": MODULES,
    # The one file with exceptions: bad_alloc passes through it.
    "operator_new.cpp.o": {"_Unwind_Resume", "__gxx_personality_v0"},
}
FORBIDDEN = re.compile(
    r"^(operator (new|delete)|std::|__cxa|_Unwind|__gxx|__tls_get_addr|__stack_chk_fail|Py|_Py|"
    r"(malloc|calloc|realloc|free|mmap|munmap)$)"
)


def undefined(library):
    """(object file, symbol) of everything a static library leaves to others."""
    done = subprocess.run(
        ["nm", "-u", "-C", Path(BUILD).resolve() / library], capture_output=True, text=True, check=True
    )
    name = ""
    for line in done.stdout.splitlines():
        if line.endswith(".o:"):
            name = line[:-1]
        elif line.strip():
            yield name, line.split(None, 1)[1]


def is_ours(symbol):
    return symbol.startswith(("malloc_tracer::", "mt_native_")) or symbol == "_GLOBAL_OFFSET_TABLE_"


@pytest.mark.parametrize("library", LIBRARIES)
def test_hooks_call_only_what_is_allowed(library):
    symbols = list(undefined(library))
    assert symbols, library
    wrong = sorted(
        f"{name}: {symbol}"
        for name, symbol in symbols
        if name not in NOT_IN_THE_ZONE
        and not is_ours(symbol)
        and (symbol not in LIBRARIES[library] | EXTRA.get(name, set()))
    )
    assert not wrong, "not allowed in the hook zone:\n" + "\n".join(wrong)


def test_the_lists_above_allow_nothing_forbidden():
    allowed = set().union(
        *LIBRARIES.values(), *(names for name, names in EXTRA.items() if name != "operator_new.cpp.o")
    )
    assert not [symbol for symbol in allowed if FORBIDDEN.match(symbol)]


# Files of capture/cpython whose every function runs in hooks: they may look at the interpreter,
# not call what allocates there.
IN_HOOKS = {
    "allocator_hooks.cpp.o": {"PyMem_GetAllocator", "PyMem_SetAllocator", "_PyMem_GetCurrentAllocatorName"},
    "constructor_calls_314.cpp.o": {"_Py_InitCleanup"},
    "python_frames.cpp.o": {"PyCode_Type"},
}
LOOKING = {
    "PyThreadState_GetUnchecked", "_PyThreadState_UncheckedGet", "PyGILState_GetThisThreadState", "_PyRuntime",
    "pthread_getspecific", "strcmp",
}  # fmt: skip


@pytest.mark.parametrize("name", IN_HOOKS)
def test_python_hooks_call_only_what_is_allowed(name):
    library = "src/capture/cpython/libmt_capture_cpython.a"
    if not (Path(BUILD) / library).exists():
        pytest.skip("a build without Python")
    found = [symbol for object_, symbol in undefined(library) if object_ == name]
    if not found:
        pytest.skip("not for this version")
    wrong = sorted(s for s in found if not is_ours(s) and s not in MEMORY | LOOKING | IN_HOOKS[name])
    assert not wrong, "not allowed in the hook zone:\n" + "\n".join(wrong)


def test_thread_local_data_needs_no_call():
    """Our per-thread pointer is reached without __tls_get_addr, which may allocate."""
    libraries = [*LIBRARIES, "src/capture/cpython/libmt_capture_cpython.a"]
    for library in libraries:
        if (Path(BUILD) / library).exists():
            assert "__tls_get_addr" not in {symbol for _, symbol in undefined(library)}, library
