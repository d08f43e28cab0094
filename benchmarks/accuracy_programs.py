"""Forty small programs of known truth, for accuracy.py.

The truth of each is arithmetic written beside it: sizes asked for, and sizes that the interpreter's own `sizeof` gives
for one object. Nothing in a program's `run` allocates but what its truth says; what it needs stands ready before. Where
CPython's versions differ, the truth says why.
"""

from __future__ import annotations

import gc
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import accuracy_native as native
import numpy as np


def nothing() -> None:
    """Does nothing."""


@dataclass(frozen=True)
class Truth:
    """What is right; None where the program leaves it open (the peak of threads that race)."""

    live_bytes: int
    live_count: int
    peak_bytes: int | None
    allocated_count: int


@dataclass(frozen=True)
class Program:
    """`run` is measured; `before` makes what it needs from outside, `after` puts everything back.

    `beside` is measured apart, and what it keeps is taken off: a part of `run` whose own memory is no business of ours.
    """

    name: str
    truth: Truth
    run: Callable[[], Any]
    before: Callable[[], Any] = nothing
    after: Callable[[], Any] = nothing
    beside: Callable[[], Any] | None = None


def kept(count: int, size: int) -> Truth:
    """Blocks of one size that all stay."""
    return Truth(count * size, count, count * size, count)


def in_turn(*calls: str) -> Callable[[], Any]:
    """Calls of accuracy_native, each "function count bytes", in one expression: a loop may make an iterator."""
    texts = ("native.{}({}, {})".format(*call.split()) for call in calls if call)
    return eval(compile("lambda: " + " or ".join([*texts, "None"]), __file__, "eval"), {"native": native})


def native_program(
    name: str, truth: Truth, *calls: str, before: str = "", after: str = "free_all 0 0", beside: str = ""
) -> Program:
    """A program of such calls."""
    return Program(name, truth, in_turn(*calls), in_turn(before), in_turn(after), in_turn(beside) if beside else None)


KIB, MIB = 1 << 10, 1 << 20
NOTHING = Truth(0, 0, 0, 0)

NATIVE = [
    native_program(
        "malloc, calloc, realloc(NULL), reallocarray",
        kept(4000, 1000),
        *(f"{name} 1000 1000" for name in ("keep_malloc", "keep_calloc", "keep_realloc", "keep_reallocarray")),
    ),
    native_program(
        "posix_memalign, aligned_alloc, memalign, valloc",
        kept(4000, 1000),
        *(
            f"{name} 1000 1000"
            for name in ("keep_posix_memalign", "keep_aligned_alloc", "keep_memalign", "keep_valloc")
        ),
    ),
    native_program("strdup (malloc inside libc)", kept(1000, 1000), "keep_strdup 1000 1000"),
    native_program("malloc(0)", Truth(0, 10_000, 0, 10_000), "keep_malloc 10000 0"),
    native_program("operator new (calls malloc)", kept(1000, 1000), "keep_new 1000 1000", after="delete_all 0 0"),
    native_program("malloc and free at once", Truth(0, 0, MIB, 100_000), f"churn_malloc 100000 {MIB}"),
    native_program("peak in the middle", Truth(1_000_000, 1000, 3_000_000, 3000), "mountain 1000 1000"),
    native_program(
        "realloc grows", Truth(2_000_000, 1000, 2_000_000, 2000), "keep_malloc 1000 1000", "resize_all 1000 2000"
    ),
    native_program(
        "realloc shrinks", Truth(1_000_000, 1000, 2_000_000, 2000), "keep_malloc 1000 2000", "resize_all 1000 1000"
    ),
    native_program(
        "realloc(p, 0)", Truth(0, 0, 1_000_000, 1000), "keep_malloc 1000 1000", "resize_all_to_nothing 1000 0"
    ),
    native_program("every call fails once", kept(1, 1_000_000), "keep_malloc 1 1000000", "fail_everything 1 0"),
    native_program(
        "realloc of blocks from before", kept(1000, 2000), "resize_all 1000 2000", before="keep_malloc 1000 1000"
    ),
    native_program("free of blocks from before", NOTHING, "free_all 0 0", before="keep_malloc 1000 1000"),
    native_program("GIL released", kept(1000, 1000), "keep_malloc_without_the_gil 1000 1000"),
    native_program("eight C threads", kept(8000, 1000), "run_threads 8 1000"),
    native_program(
        "freed by another C thread", Truth(0, 0, 1_000_000, 1000), "keep_malloc 1000 1000", "free_all_in_a_thread 0 0"
    ),
    native_program(
        "eight C threads race with realloc",
        Truth(16_000_000, 16_000, None, 8 * (2 * 20_000 + 2000)),
        "race_of_reallocs 20000 1000",
    ),
    native_program("malloc as 100 threads end", Truth(0, 0, MIB, 100), f"thread_exits 100 {MIB}"),
    native_program(
        "munmap of two parts of three",
        Truth(2 * MIB, 1, 4 * MIB, 1),
        f"keep_mapping 1 {4 * MIB}",
        f"cut_mapping 2 {MIB}",
        after="drop_mapping 0 0",
    ),
    native_program(
        "munmap of four mappings at once",
        Truth(0, 0, 4 * MIB, 4),
        f"fill_place 4 {MIB}",
        f"unmap_place 4 {MIB}",
        before=f"make_place 4 {MIB}",
    ),
    native_program(
        "munmap that fails", kept(1, MIB), f"keep_mapping 1 {MIB}", f"unmap_wrongly 1 {MIB}", after="drop_mapping 0 0"
    ),
    native_program(
        "mremap grows",
        Truth(64 * MIB, 1, 64 * MIB, 2),
        f"keep_mapping 1 {MIB}",
        f"remap_mapping 1 {64 * MIB}",
        after="drop_mapping 0 0",
    ),
    native_program(
        "mremap shrinks",
        Truth(MIB, 1, 4 * MIB, 2),
        f"keep_mapping 1 {4 * MIB}",
        f"remap_mapping 1 {MIB}",
        after="drop_mapping 0 0",
    ),
    native_program(
        "fork; the child's blocks are its own",
        kept(1000, 1000),
        "forks 5000 1000",
        "keep_malloc 1000 1000",
    ),
    # What the loader itself keeps of a library newer C libraries take from malloc.
    native_program(
        "a library loaded inside",
        kept(1000, 1000),
        "load_and_call 1000 1000",
        after="free_and_unload 0 0",
        beside="load_helper 0 0",
    ),
    native_program(
        "a library's constructor",
        kept(1000, 1000),
        "load_constructor 0 0",
        after="unload 0 0",
        beside="load_idle_constructor 0 0",
    ),
    native_program(
        "PyMem_Raw*, PyMem_*, PyObject_*, 100 bytes", kept(9000, 100), "keep_python 9000 100", after="free_python 0 0"
    ),
    native_program(
        "their realloc, 100 to 1,000 bytes",
        Truth(900_000, 900, 900_000, 1800),
        "keep_python 900 100",
        "resize_python 900 1000",
        after="free_python 0 0",
    ),
]

# What the Python programs fill, and what they are made of.
SLOTS = list(range(10_000))
MANY = SLOTS[:1000]
FEW = SLOTS[:80]
KEPT: list[Any] = [None] * len(SLOTS)
BYTE, HUNDRED, THOUSAND, HALF = b"x", 100, 1000, 0.5
LETTERS = "c" * 5000
TWENTY = [None] * 20
# A loop over a list or a string makes its iterator, an object more; from 3.15 on it does without.
ITERATOR, ITERATORS = (0, 0) if sys.version_info >= (3, 15) else (sys.getsizeof(iter([])), 1)
POINTER = 8


def drop_all() -> None:
    """Lets go of what a Python program kept."""
    KEPT[:] = [None] * len(KEPT)


def in_a_loop(count: int, size: int) -> Truth:
    """As many objects of this size, all kept, made in one loop."""
    live = count * size
    return Truth(live, count, live + ITERATOR, count + ITERATORS)


def small_bytes() -> None:
    for slot in SLOTS:
        KEPT[slot] = BYTE * HUNDRED


def large_bytes() -> None:
    for slot in MANY:
        KEPT[slot] = BYTE * THOUSAND


def temporaries() -> None:
    for _ in MANY:
        BYTE * THOUSAND


def floats() -> None:
    for slot in FEW:
        KEPT[slot] = HALF * slot


def tuples() -> None:
    for slot in MANY:
        KEPT[slot] = tuple(TWENTY)


def empty(x: None) -> None:
    return x


def calls() -> None:
    for _ in SLOTS:
        empty(None)


def appended() -> None:
    KEPT[0] = grows = []
    for slot in SLOTS:
        grows.append(slot)


def growth_of_a_list(length: int) -> Truth:
    """`append` to a full list takes room for n + n/8 + 6 items, rounded down to fours; each resize is a block more."""
    room = steps = 0
    for size in range(1, length + 1):
        if size > room:
            room = (size + (size >> 3) + 6) & ~3
            steps += 1
    live = sys.getsizeof([]) + room * POINTER
    return Truth(live, 2, live + ITERATOR, 1 + steps + ITERATORS)


def concatenated() -> None:
    text = "ab"
    for letter in LETTERS:
        text = text + letter  # from the second on in place, by realloc
    KEPT[0] = text


def down(chain: Any) -> None:
    slot, deeper = chain
    KEPT[slot] = BYTE * THOUSAND
    if deeper is not None:
        down(deeper)


def frame_of_down() -> int:
    """Bytes of its frame. Before 3.11 that is a block, but for one that each function has from its first call on.

    One slot more is allocated than `sizeof` says.
    """
    frames: list[Any] = []
    try:
        down(None)
    except TypeError as error:
        frames += [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return sys.getsizeof(frames[-1]) + POINTER


FRAMES = 0 if sys.version_info >= (3, 11) else len(FEW) - 1
DEEP = len(FEW) * sys.getsizeof(BYTE * THOUSAND)

CHAIN: Any = None
for _slot in FEW:
    CHAIN = (_slot, CHAIN)


def cycles() -> None:
    for _ in FEW:
        cycle: list[Any] = [BYTE * THOUSAND, None]
        cycle[1] = cycle
    del cycle
    gc.collect()


CYCLE = len(FEW) * (sys.getsizeof(BYTE * THOUSAND) + sys.getsizeof([]) + 2 * POINTER)
# From 3.12 on a collection makes these strings, one after the other.
COLLECTION = ("start", "stop") if sys.version_info >= (3, 12) else ()
BESIDE_CYCLES = max([ITERATOR, *map(sys.getsizeof, COLLECTION)])


class Worker:
    """A thread from before the measurement that calls a function when told."""

    def __init__(self, body: Callable[[], None]) -> None:
        self.body = body
        self.go = threading.Lock()
        self.done = threading.Lock()
        self.go.acquire()
        self.done.acquire()
        threading.Thread(target=self.work, daemon=True).start()

    def work(self) -> None:
        while True:
            self.go.acquire()
            self.body()
            self.done.release()

    def run(self) -> None:
        self.go.release()
        self.done.acquire()


WORKER = Worker(small_bytes)

# numpy keeps data below 1 KiB for the next array of that size; an array without dimensions is one object and its data.
SIZES = range(100, 1000)
ARRAYS = list(zip(SLOTS, [np.dtype(f"V{size}") for size in SIZES]))


def small_arrays() -> None:
    for slot, data_type in ARRAYS:
        KEPT[slot] = np.empty((), data_type)


SMALL_ARRAYS = sum(SIZES) + len(SIZES) * np.ndarray.__basicsize__


def python_program(name: str, run: Callable[[], Any], truth: Truth) -> Program:
    return Program(name, truth, run, after=drop_all)


def after_the_same(name: str, run: Callable[[], Any], truth: Truth) -> Program:
    """The program right after the same one: free lists have its objects."""
    return Program(name, truth, run, before=lambda: run() or drop_all(), after=drop_all)


PYTHON = [
    python_program("small bytes objects", small_bytes, in_a_loop(10_000, sys.getsizeof(BYTE * HUNDRED))),
    python_program("large ones (pymalloc calls malloc)", large_bytes, in_a_loop(1000, sys.getsizeof(BYTE * THOUSAND))),
    python_program(
        "temporaries", temporaries, Truth(0, 0, sys.getsizeof(BYTE * THOUSAND) + ITERATOR, len(MANY) + ITERATORS)
    ),
    after_the_same("floats that a free list has", floats, in_a_loop(len(FEW), sys.getsizeof(HALF))),
    after_the_same("tuples that a free list has", tuples, in_a_loop(len(MANY), sys.getsizeof(tuple(TWENTY)))),
    python_program("10,000 empty calls", calls, Truth(0, 0, ITERATOR, ITERATORS)),
    python_program("a list that grows", appended, growth_of_a_list(len(SLOTS))),
    python_program(
        "a string that grows in place",
        concatenated,
        Truth(
            sys.getsizeof("ab" + LETTERS),
            1,
            sys.getsizeof("ab" + LETTERS) + ITERATOR,
            len(LETTERS) + ITERATORS,
        ),
    ),
    python_program(
        "80 calls deep",
        lambda: down(CHAIN),
        Truth(DEEP, len(FEW), DEEP + FRAMES * frame_of_down(), len(FEW) + FRAMES),
    ),
    python_program(
        "cycles that are collected",
        cycles,
        Truth(0, 0, CYCLE + BESIDE_CYCLES, 3 * len(FEW) + ITERATORS + len(COLLECTION)),
    ),
    python_program("a Python thread from before", WORKER.run, in_a_loop(len(SLOTS), sys.getsizeof(BYTE * HUNDRED))),
    python_program(
        "small arrays from numpy's cache",
        small_arrays,
        Truth(SMALL_ARRAYS, 2 * len(SIZES), SMALL_ARRAYS + ITERATOR, 2 * len(SIZES) + ITERATORS),
    ),
]

PROGRAMS = {program.name: program for program in [*NATIVE, *PYTHON]}
