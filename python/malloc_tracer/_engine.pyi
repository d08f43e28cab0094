"""Types of the extension module: the engine and the results it builds. Private; see `malloc_tracer` for what users may rely on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

@final
class Counters:
    live_bytes: int
    live_count: int
    peak_bytes: int
    peak_count: int
    allocated_bytes: int
    allocated_count: int
    freed_bytes: int
    freed_count: int
    temporary_count: int
    reallocated_count: int

class Line:
    file: str
    number: int
    function: str
    self: Counters
    total: Counters

class Function:
    name: str
    file: str
    self: Counters
    total: Counters

class File:
    name: str
    kind: str
    self: Counters
    total: Counters

class Thread:
    name: str
    id: int
    self: Counters
    total: Counters

class Allocator:
    name: str
    self: Counters
    total: Counters

class Frame:
    function: str
    file: str
    line: int
    kind: str

class Node:
    frame: Frame
    parent: Node | None
    children: list[Node]
    self: Counters
    total: Counters

class Section:
    """A stretch of source that the listing's target table shows in full; see src/report/text.hpp."""
    def __init__(self, file: str, first_line: int, text: Sequence[str], note: str = "", last_line: int = 0) -> None: ...

class TraceData:
    """The engine's immutable result; `malloc_tracer.Trace` wraps it."""
    name: str
    duration_ns: int
    python_version: str
    sum: Counters
    lines: list[Line]
    functions: list[Function]
    files: list[File]
    threads: list[Thread]
    allocators: list[Allocator]
    root: Node
    lost: dict[str, int]
    timeline: list[tuple[int, int]]
    block_sizes: list[int]
    def line(self, function_or_file: str, number: int) -> Line: ...
    def text(
        self,
        *,
        target: Sequence[Section],
        note: str = "",
        columns: Sequence[str] = (),        # names of api.md: "live", "peak", "allocated", "count", "temporary", "freed", "total"; () = 1.7's Size
        related: str = "none",              # "none", "for_each_file", "in_descending_order"
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        source: Callable[[str], Sequence[str]] | None = None,   # file name -> its lines without newline, [] where there is none
    ) -> str: ...
    is_difference: bool
    time_ms: int                            # when it was taken, since 1970
    def with_source(
        self,
        sources: Sequence[tuple[str, int, str]],                # file, number of the first line, text
        stretches: Sequence[tuple[str, int, int, str]],         # what is listed: file, first line, last line, why there is no source
        empty_note: str,                                        # said if nothing is listed
        related: str,
        include: Sequence[str],
        exclude: Sequence[str],
    ) -> TraceData: ...
    def without_source(self) -> TraceData: ...
    def listing(self, columns: Sequence[str], related: str | None = None) -> str:
        """The text report of a trace with source; `related` None: as its file says."""
    def written(self, format: str) -> bytes: ...
    def html_table(self) -> str: ...
    def diff(self, earlier: TraceData) -> TraceData: ...

class ScopeHandle:
    """One scope. Opened by the first `enter`, `run` or `attach`; ended by `leave`, by the end of `run`, or by `end`."""
    def __init__(self, name: str, all_threads: bool) -> None: ...
    def enter(self, skip: int = 0, inclusive: bool = True) -> None:
        """Records from here on; the scope's own frame is the calling Python frame, `skip` frames up; paths begin with it if `inclusive`, else above it.
        Allocates nothing that is counted."""
    def leave(self) -> None:
        """Ends the scope now. No-op if it is not open (a forked child, a second call)."""
    def run(self, callee: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any] | None, listed: object | None) -> Any:
        """Calls `callee(*args, **kwargs)`. With `listed` (a Python function object): the scope is every activation of that function during the call, ended at
        its last return with its locals alive. With None: the scope is the whole call, without the caller's own frame. The callee's exception passes through
        (no Python frame of ours is on the stack); the scope is ended in any case."""
    def attach(self, function: object, ends: bool = False) -> None:
        """Every activation of `function`, a Python function or a code object (then of any function made of it), in any thread, until `end`. With `ends` the scope ends at the last return, with the
        locals alive: frees after it do not count (unless the function is called again)."""
    def peek(self, python_version: str, library_prefixes: Sequence[str], thread_names: Mapping[int, str], command: Sequence[str]) -> TraceData:
        """The scope so far (open) or as it ended (ended): builds the result. A scope that never opened gives an empty one."""
    def reset(self) -> None:
        """Forgets all that was recorded; an attached scope goes on."""
    def end(self) -> None: ...
    calls: int                              # of what is attached; a generator counts once
    is_open: bool

class FramelessMethod:
    """A method without a Python frame of its own while the target runs, so that a target's traceback shows the caller and then the target.

    Calling it: `plan = prepare(*args, **kwargs)` -> a tuple (handle, callee, args, kwargs, listed, state); `result = handle.run(...)`; then
    `return finish(state, result, None)`, or, if the target raised `exc`: `finish(state, None, exc)`, and `exc` goes on untouched.
    It binds like a function (a descriptor) and copies `__name__`, `__qualname__`, `__doc__`, `__signature__`, `__module__` of `prepare`.
    """
    def __init__(self, prepare: Callable[..., tuple[Any, ...]], finish: Callable[[Any, Any, BaseException | None], Any]) -> None: ...
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

def formats() -> list[tuple[str, str, bool]]:
    """Name, suffix and whether it is text, of each format that `TraceData.written` knows."""

def merge(traces: Sequence[TraceData]) -> TraceData: ...
def read_json(text: bytes) -> TraceData:
    """Raises `MallocTracerError`, without the file's name."""

def pause() -> None:
    """Nothing this thread allocates is recorded by any scope until `resume`; nests. Frees still count."""

def resume() -> None: ...
def call_and_pause(function: Callable[[], object]) -> object:
    """Calls the function and pauses, also if it raises: before the caller's frame joins the traceback."""

def keep_frame(function: Callable[..., Any]) -> None:
    """Makes the frame that a Python function keeps from its first call on; nothing from 3.11 on, where frames are no objects."""

def leave_traceback() -> None:
    """Takes the calling frame's entry out of the traceback of the exception that it handles; a bare `raise` must follow."""

def self_test() -> str:
    """"" when the interpreter has the layout this module was built for, else one sentence."""

def checks() -> tuple[int, int]:
    """How many call paths and how many records were compared with a slow, plain way; zeros but in a checked build."""
