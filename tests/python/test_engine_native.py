"""What C code allocates, by every function of malloc's family: exact, and charged to the Python line that called it."""

from __future__ import annotations

import ctypes
import mmap
import shutil
import sys

import numpy
import pytest

from engine import allocator, check, compiled, kept, native_helper, nonzero, own_lines, trace_block, trace_call
from sizes import FREE_THREADED

ALLOCATORS = [
    "malloc",
    "calloc",
    "realloc",
    "reallocarray",
    "posix_memalign",
    "aligned_alloc",
    "memalign",
    "valloc",
    "pvalloc",
    "strdup",
]
COUNT = 37


@pytest.fixture(scope="session")
def helper(tmp_path_factory):
    return native_helper(tmp_path_factory.mktemp("native"))


def traced(*calls):
    """The numbers of allocator `malloc` while each of the C functions is called with its two numbers."""

    def run():
        for function, count, size in calls:
            function(count, size)

    run()
    data, _ = trace_call(run)
    return allocator(check(data), "malloc")


@pytest.mark.parametrize("name", ALLOCATORS)
def test_blocks_of_every_function_are_counted_with_the_size_asked_for(helper, name):
    keep = getattr(helper, f"keep_{name}")
    keep(1, 320)
    helper.free_all(0, 0)

    def run():
        helper.nothing(COUNT, 100)
        keep(COUNT, 320)

    data, _ = trace_call(run)
    helper.free_all(0, 0)
    assert allocator(check(data), "malloc") == kept(COUNT, 320)
    lines = own_lines(data, run)
    # ctypes makes the same few Python objects for both calls.
    others = lines[1].self
    assert lines[2].self.allocated_count - others.allocated_count == COUNT
    assert lines[2].self.allocated_bytes - others.allocated_bytes == COUNT * 320
    assert nonzero(lines[2].self)["live_bytes"] == COUNT * 320


@pytest.mark.parametrize("name", ALLOCATORS)
def test_frees_are_charged_to_the_line_that_allocated(helper, name):
    keep = getattr(helper, f"keep_{name}")

    def run():
        keep(COUNT, 640)
        helper.free_all(0, 0)

    run()
    data, _ = trace_call(run)
    numbers = allocator(check(data), "malloc")
    assert numbers.pop("temporary_count", 0) == 0  # ctypes' own objects come between the last block and its free
    assert numbers == {
        "allocated_bytes": COUNT * 640,
        "allocated_count": COUNT,
        "freed_bytes": COUNT * 640,
        "freed_count": COUNT,
        "peak_bytes": COUNT * 640,
        "peak_count": COUNT,
    }
    lines = own_lines(data, run)
    assert lines[1].self.freed_bytes >= COUNT * 640
    assert lines[2].self.freed_bytes < 640


def test_a_block_of_no_bytes_is_a_block(helper):
    numbers = traced((helper.keep_malloc, 5, 0), (helper.free_all, 0, 0))
    numbers.pop("peak_count", 0)  # at the first of equal peaks
    assert numbers == {"allocated_count": 5, "freed_count": 5}


def test_a_free_right_after_its_malloc_is_temporary(helper):
    assert traced((helper.churn_malloc, 50, 100_000)) == {
        "allocated_bytes": 5_000_000,
        "allocated_count": 50,
        "freed_bytes": 5_000_000,
        "freed_count": 50,
        "peak_bytes": 100_000,
        "peak_count": 1,
        "temporary_count": 50,
    }


def test_a_block_that_outlives_another_event_is_not_temporary(helper):
    numbers = traced((helper.nest_malloc, 50, 100_000))
    assert (numbers["allocated_count"], numbers["temporary_count"]) == (100, 50)
    assert (numbers["peak_bytes"], numbers["peak_count"]) == (200_000, 2)


@pytest.mark.parametrize("resize", ["resize_all", "resize_all_by_array"])
@pytest.mark.parametrize("after", [50_000, 500, 5_000], ids=["grows", "shrinks", "stays"])
def test_realloc_is_a_free_and_an_allocation_in_one_step(helper, resize, after):
    def run():
        helper.keep_malloc(COUNT, 5_000)
        getattr(helper, resize)(COUNT, after)

    run()
    helper.free_all(0, 0)
    data, _ = trace_call(run)
    helper.free_all(0, 0)
    numbers = allocator(check(data), "malloc")
    assert numbers == {
        "live_bytes": COUNT * after,
        "live_count": COUNT,
        "allocated_bytes": COUNT * (5_000 + after),
        "allocated_count": 2 * COUNT,
        "freed_bytes": COUNT * 5_000,
        "freed_count": COUNT,
        "peak_bytes": COUNT * max(5_000, after),
        "peak_count": COUNT,
        "reallocated_count": COUNT,
    }
    lines = own_lines(data, run)
    assert lines[1].self.live_bytes == 0
    assert lines[2].self.live_bytes == COUNT * after
    assert (lines[1].self.reallocated_count, lines[2].self.reallocated_count) == (0, COUNT)


def test_realloc_to_nothing_is_a_free(helper):
    numbers = traced((helper.keep_malloc, COUNT, 1000), (helper.resize_all_to_nothing, COUNT, 0))
    assert numbers.get("reallocated_count", 0) == 0
    assert (numbers["allocated_count"], numbers["freed_count"], numbers["freed_bytes"]) == (COUNT, COUNT, COUNT * 1000)


def test_realloc_of_a_block_from_before_the_scope_is_an_allocation_of_the_new_size(helper):
    helper.keep_malloc(COUNT, 2000)
    data, _ = trace_block(lambda: helper.resize_all(COUNT, 3000))
    helper.free_all(0, 0)
    numbers = allocator(check(data), "malloc")
    numbers.pop("reallocated_count", None)
    assert numbers == kept(COUNT, 3000)


def test_frees_of_blocks_from_before_the_scope_count_nowhere(helper):
    helper.keep_malloc(COUNT, 2000)
    data, _ = trace_block(lambda: helper.free_all(0, 0))
    assert allocator(check(data), "malloc") == {}


def test_failed_calls_are_no_events(helper):
    helper.keep_malloc(1, 100)
    data, _ = trace_block(lambda: helper.fail_everything(10, 0))
    assert allocator(check(data), "malloc") == {}

    def run():
        helper.free_all(0, 0)
        helper.keep_malloc(1, 100)
        helper.fail_everything(10, 0)

    data, _ = trace_block(run)
    helper.free_all(0, 0)
    assert allocator(check(data), "malloc") == kept(1, 100)


def test_the_peak_is_what_was_alive_at_its_moment(helper):
    numbers = traced((helper.mountain, 20, 10_000), (helper.free_all, 0, 0))
    assert (numbers["peak_bytes"], numbers["peak_count"]) == (20 * 30_000, 40)
    assert (numbers["allocated_bytes"], numbers["allocated_count"]) == (20 * 40_000, 60)


def test_getline_allocates_inside_the_c_library(helper):
    helper.open_lines(COUNT, 60)
    data, _ = trace_block(lambda: helper.keep_getline(COUNT, 60))
    helper.free_all(0, 0)
    helper.close_lines(0, 0)
    assert allocator(check(data), "malloc") == kept(COUNT, 120)


def test_a_library_loaded_inside_the_scope_is_seen(helper, tmp_path):
    copy = tmp_path / "fresh.so"
    shutil.copyfile(helper._name, copy)

    def run():
        fresh = ctypes.CDLL(str(copy))
        fresh.keep_valloc.restype = None
        fresh.keep_valloc(COUNT, 100_000)
        return fresh

    data, fresh = trace_call(run)
    line = own_lines(check(data), run)[3].self
    assert line.live_bytes == COUNT * 100_000
    assert line.live_count == COUNT
    fresh.free_all(0, 0)


def test_a_library_loaded_between_two_scopes_is_seen(helper, tmp_path):
    trace_block(lambda: None)
    copy = tmp_path / "later.so"
    shutil.copyfile(helper._name, copy)
    later = native_helper(tmp_path)
    data, _ = trace_block(lambda: later.keep_valloc(COUNT, 100_000))
    later.free_all(0, 0)
    assert allocator(check(data), "malloc") == kept(COUNT, 100_000)


CPP = r"""
#include <cstddef>
#include <new>
static void *kept[1000];
static int count_;
extern "C" void keep_new(int count, long bytes) {
  for (int i = 0; i < count; i++) kept[count_++] = ::operator new(bytes);
}
extern "C" void keep_array(int count, long bytes) {
  for (int i = 0; i < count; i++) kept[count_++] = ::operator new[](bytes);
}
extern "C" void keep_nothrow(int count, long bytes) {
  for (int i = 0; i < count; i++) kept[count_++] = ::operator new(bytes, std::nothrow);
}
extern "C" void delete_all(int, long) { while (count_ > 0) ::operator delete(kept[--count_]); }
extern "C" void keep_aligned(int count, long bytes) {
  for (int i = 0; i < count; i++) kept[count_++] = ::operator new(bytes, std::align_val_t{128});
}
extern "C" void delete_aligned(int, long) {
  while (count_ > 0) ::operator delete(kept[--count_], std::align_val_t{128});
}
extern "C" void fail(int count, long) {
  for (int i = 0; i < count; i++) {
    try { kept[0] = ::operator new(static_cast<std::size_t>(-1) / 4); } catch (const std::bad_alloc &) { continue; }
    __builtin_abort();
  }
}
"""


@pytest.fixture(scope="session")
def cpp(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cpp")
    source = folder / "cpp_helper.cpp"
    source.write_text(CPP)
    return ctypes.CDLL(str(compiled(source, folder)))


@pytest.mark.parametrize(
    ("keep", "delete"),
    [
        ("keep_new", "delete_all"),
        ("keep_array", "delete_all"),
        ("keep_nothrow", "delete_all"),
        ("keep_aligned", "delete_aligned"),
    ],
)
def test_operator_new_counts_once(cpp, keep, delete):
    kept_data, _ = trace_block(lambda: getattr(cpp, keep)(COUNT, 1000) and None)
    freed_data, _ = trace_block(lambda: getattr(cpp, delete)(0, 0) and None)
    both, _ = trace_block(lambda: (getattr(cpp, keep)(COUNT, 1000), getattr(cpp, delete)(0, 0)) and None)
    assert allocator(check(kept_data), "new") == kept(COUNT, 1000)
    assert allocator(kept_data, "malloc") == {}
    assert allocator(check(freed_data), "new") == allocator(freed_data, "malloc") == {}
    numbers = allocator(check(both), "new")
    assert (numbers["allocated_count"], numbers["freed_count"], numbers["freed_bytes"]) == (COUNT, COUNT, COUNT * 1000)
    assert allocator(both, "malloc") == {}


def test_a_failing_operator_new_is_no_block_and_harms_nothing(cpp):
    def run():
        cpp.fail(5, 0)
        cpp.keep_new(COUNT, 1000)

    data, _ = trace_block(run)
    cpp.delete_all(0, 0)
    assert allocator(check(data), "new") == kept(COUNT, 1000)


SIZE = 1 << 20


def test_an_anonymous_mapping_is_a_block_of_mmap():
    def run():
        return mmap.mmap(-1, SIZE)

    run().close()
    data, mapping = trace_call(run)
    mapping.close()
    assert allocator(check(data), "mmap") == kept(1, SIZE)
    assert own_lines(data, run)[1].self.live_bytes >= SIZE


def test_pymallocs_arenas_are_not_counted_beside_the_objects_in_them():
    size, slots = 100, list(range(300_000))  # some 40 arenas of 1 MiB
    rows = [None] * len(slots)

    def run():
        for slot in slots:
            rows[slot] = b"x" * size

    data, _ = trace_call(run)
    assert allocator(check(data), "mmap") == allocator(data, "malloc") == {}
    assert allocator(data, "python object")["live_bytes"] == len(slots) * sys.getsizeof(b"x" * size)


def test_a_closed_mapping_is_freed():
    def run():
        mapping = mmap.mmap(-1, SIZE)
        mapping.close()

    run()
    data, _ = trace_call(run)
    numbers = allocator(check(data), "mmap")
    assert (numbers["allocated_bytes"], numbers["freed_bytes"], numbers["freed_count"]) == (SIZE, SIZE, 1)
    assert (numbers["peak_bytes"], numbers.get("live_bytes", 0)) == (SIZE, 0)


def test_a_resized_mapping_is_reallocated():
    def run():
        mapping = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE)
        mapping.resize(3 * SIZE)
        return mapping

    data, mapping = trace_call(run)
    mapping.close()
    numbers = allocator(check(data), "mmap")
    assert (numbers["live_bytes"], numbers["live_count"]) == (3 * SIZE, 1)
    assert (numbers["allocated_bytes"], numbers["freed_bytes"]) == (4 * SIZE, SIZE)
    assert (numbers["peak_bytes"], numbers["reallocated_count"]) == (3 * SIZE, 1)


def test_a_mapped_file_is_no_block(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(SIZE))
    with path.open("rb") as file:
        data, mapping = trace_block(lambda: mmap.mmap(file.fileno(), SIZE, access=mmap.ACCESS_READ))
        mapping.close()
    assert allocator(check(data), "mmap") == {}


def test_mappings_of_c_code(helper):
    def run():
        helper.keep_mappings(COUNT, 10_000)  # asked for; the system rounds to pages

    data, _ = trace_call(run)
    assert allocator(check(data), "mmap") == kept(COUNT, 10_000)
    data, _ = trace_block(lambda: helper.unmap_all(0, 0))
    assert allocator(check(data), "mmap") == {}


@pytest.mark.parametrize("items", [4, 100, 127])
def test_small_arrays_from_numpys_cache_are_seen(items):
    def run():
        return numpy.empty(items, dtype=numpy.float64)

    run()
    data, array = trace_call(run)
    del array
    tracked = {} if FREE_THREADED else kept(1, items * 8)  # there numpy has no cache, nor one of dimensions
    assert allocator(check(data), "tracked") == tracked
    line = own_lines(data, run)[1].self
    assert items * 8 < line.live_bytes < items * 8 + 200  # the array's object too
    assert line.live_count == 2 + FREE_THREADED


def test_every_small_array_is_seen_whether_from_the_cache_or_not():
    def run():
        return [numpy.empty(100, dtype=numpy.float64) for _ in range(50)]

    run()
    data, arrays = trace_call(run)
    objects = sum(item.self.live_count for item in check(data).allocators if item.name == "python object")
    assert objects == 50 + 1  # and the list
    assert data.sum.live_bytes >= 50 * 800
    del arrays


def test_an_array_that_goes_back_to_numpys_cache_is_freed():
    def run():
        for _ in range(50):
            numpy.empty(100, dtype=numpy.float64)

    run()
    data, _ = trace_call(run)
    assert check(data).sum.live_bytes == 0
    array = 100 * 8
    assert data.sum.allocated_bytes >= 50 * array
    assert data.sum.peak_bytes < 2 * array


@pytest.mark.parametrize("make", [numpy.empty, numpy.zeros, numpy.ones], ids=["empty", "zeros", "ones"])
def test_large_arrays_are_one_block_of_their_size(make):
    def run():
        return make(100_000, dtype=numpy.float64)

    run()
    data, array = trace_call(run)
    del array
    line = own_lines(check(data), run)[1].total
    assert 800_000 <= line.live_bytes < 800_000 + 300  # the array and its object
    # Keyword arguments make a table of keys, which 3.9 keeps. Free-threaded, dimensions are a block.
    assert 2 <= line.live_count <= 2 + (sys.version_info < (3, 10) or FREE_THREADED)


def test_large_python_blocks_count_once():
    def run():
        size = 100_000
        return b"x" * size

    data, kept_block = trace_call(run)
    assert nonzero(check(data).sum) == kept(1, sys.getsizeof(kept_block))
    assert [item.name for item in data.allocators] == ["python object"]
