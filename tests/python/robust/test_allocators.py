"""Other allocators below ours, and other users of Python's allocator hooks over and under us."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine import compiled, native_helper
from sizes import FREE_THREADED
from test_engine_process import MIXED, program, python

FOLDER = Path("/usr/lib/x86_64-linux-gnu")
PRELOADED = ["libjemalloc.so.2", "libtcmalloc_minimal.so.4", "libmimalloc.so.2"]


@pytest.fixture(scope="module")
def stacked(tmp_path_factory):
    """Python code that defines `other`: the library of stacked_allocator.c."""
    library = compiled(Path(__file__).with_name("stacked_allocator.c"), tmp_path_factory.mktemp("stacked"))
    return f"import ctypes\nother = ctypes.PyDLL({str(library)!r})\n"


SAME = "nonzero(check(trace_call(block)[0]).sum) == ONE_BLOCK"


def test_an_allocator_stacked_over_us_inside_the_scope_and_removed_inside(stacked):
    output = python(
        stacked
        + program(f"""
        handle.enter()
        first = block()
        other.stack()
        second = block()
        other.unstack()
        third = block()
        handle.leave()
        data = check(result_of(handle))
        print([line.self.live_count for line in data.lines if line.function == "block"], other.passed() > 1)
        print({SAME})
        """)
    )
    assert output == "[3] True\nTrue\n"


def test_an_allocator_stacked_over_us_inside_the_scope_and_left_there(stacked):
    """Ours stays below it, passing through while no scope is open, and is not put on top a second time."""
    output = python(
        stacked
        + program(f"""
        handle.enter()
        other.stack()
        first = block()
        handle.leave()
        data = check(result_of(handle))
        print([nonzero(line.self) == ONE_BLOCK for line in data.lines if line.function == "block"])
        before = other.passed()
        print([{SAME} for _ in range(3)], other.passed() > before)
        other.unstack()
        before = other.passed()
        print([{SAME} for _ in range(3)], other.passed() == before)
        """)
    )
    assert output == "[True]\n[True, True, True] True\n[True, True, True] True\n"


def test_an_allocator_stacked_under_us_before_the_scope_and_removed_inside(stacked):
    """Its removal takes ours away too: nothing breaks, and the next scope is whole again."""
    output = python(
        stacked
        + program(f"""
        other.stack()
        print({SAME})
        handle.enter()
        first = [block() for _ in range(10)]
        other.unstack()
        del first
        second = [block() for _ in range(10)]
        handle.leave()
        result_of(handle)
        print({SAME}, {SAME})
        """)
    )
    assert output == "True\nTrue True\n"


def test_an_allocator_stacked_before_the_scope_and_removed_after_it(stacked):
    output = python(
        stacked
        + program(f"""
        other.stack()
        before = other.passed()
        print({SAME}, other.passed() > before)
        other.unstack()
        print({SAME})
        """)
    )
    assert output == "True True\nTrue\n"


def test_python_allocations_that_fail(stacked):
    """A MemoryError at each of the first 300 allocations inside a scope, in turn."""
    # Free-threaded, PyList_New deallocates a list that it has not initialized when there is no array for it.
    row = "(i, str(i), {i: i})" if FREE_THREADED else "[i, str(i), {i: i}]"
    output = python(
        stacked
        + program(f"""
        def work():
            return [{row} for i in range(20)]
        def fails(count):
            other.fail_after(count)
            try:
                return work()
            except MemoryError:
                return None
            finally:
                other.fail_after(-1)
        def guarded(count):
            try:
                return fails(count)
            except MemoryError:  # it came only when the work was done
                return None
        work()
        other.stack()
        failed = 0
        for count in range(300):
            data, result = trace_block(lambda: guarded(count))
            check(data)
            failed += result is None
        other.unstack()
        print(failed > 50, {SAME})
        """)
    )
    assert output == "True True\n"


@pytest.fixture(scope="module")
def under_glibc():
    return json.loads(python(MIXED))


@pytest.mark.parametrize("python_malloc", ["", "mimalloc_debug"] if FREE_THREADED else ["", "malloc", "malloc_debug"])
@pytest.mark.parametrize("preload", PRELOADED)
def test_a_preloaded_allocator_gives_the_same_counts(under_glibc, preload, python_malloc):
    if not (FOLDER / preload).exists():
        pytest.skip("not installed")
    mixed = json.loads(python(MIXED, LD_PRELOAD=str(FOLDER / preload), PYTHONMALLOC=python_malloc))
    assert mixed == under_glibc


@pytest.mark.parametrize("preload", ["", *PRELOADED])
def test_smallest_blocks_of_a_preloaded_allocator_are_told_apart(tmp_path, preload):
    """jemalloc and the others put blocks of 8 bytes at multiples of 8: two in each granule of the page map."""
    if not (FOLDER / preload).exists():
        pytest.skip("not installed")
    native_helper(tmp_path)
    library = str(tmp_path / "native_helper.so")
    output = python(
        program(f"""
        import ctypes
        from engine import allocator
        helper = ctypes.CDLL({library!r})
        def run():
            helper.keep_malloc(5000, 8)
            helper.keep_malloc(5000, 1)
            helper.keep_malloc(1000, 24)
        run()
        helper.free_all(0, 0)
        def free():
            helper.free_all(0, 0)
        data, _ = trace_block(run)
        print(allocator(check(data), "malloc")["live_bytes"], allocator(data, "malloc")["live_count"])
        helper.free_all(0, 0)
        def both():
            run()
            free()
        both()
        data, _ = trace_block(both)
        malloc = allocator(check(data), "malloc")
        print(malloc["freed_bytes"], malloc["freed_count"], malloc["peak_bytes"], malloc.get("live_count", 0))
        """),
        LD_PRELOAD=str(FOLDER / preload) if preload else "",
    )
    assert output == "69000 11000\n69000 11000 69000 0\n"


def test_a_block_of_nothing_that_grows_is_not_taken_for_a_whole_small_block():
    """pymalloc leaves it to malloc, which gives it no room up to the next 16 bytes (CPython's test_json crashed)."""
    output = python(
        program("""
        import ctypes
        api = ctypes.pythonapi
        for name in ("PyMem_Malloc", "PyMem_Realloc"): getattr(api, name).restype = ctypes.c_void_p
        api.PyMem_Malloc.argtypes, api.PyMem_Free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
        api.PyMem_Realloc.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        def run():
            for size in range(1, 513):
                rounded = (size + 15) // 16 * 16
                grown = [api.PyMem_Realloc(api.PyMem_Malloc(0), size) for _ in range(20)]
                for each in grown: api.PyMem_Free(each)
                whole = [api.PyMem_Malloc(rounded) for _ in range(20)]
                for each in whole: ctypes.memset(each, 255, rounded)
                for each in whole: api.PyMem_Free(each)
        data, _ = trace_block(run)
        check(data)
        print("fine")
        """)
    )
    assert output == "fine\n"
