"""line_profiler for malloc: every allocation of one function, charged to its source line.

Example:
    >>> import malloc_tracer
    >>> malloc_tracer.trace(func, target_args=dict(x=1))
    >>> with malloc_tracer.Scope("load") as scope:
    ...     rows = load()
    >>> scope.trace.print()
"""

from . import _interpreter  # noqa: F401  (first: it refuses interpreters in one sentence)
from ._engine import Allocator, Counters, File, Frame, Function, Line, Node, Thread
from ._errors import MallocTracerError
from ._files import load, merge
from ._listing import RelatedTracesOutputMode
from ._profile import profile
from ._scope import Scope
from ._trace import Trace
from ._tracer import Tracer, trace

__all__ = [
    "Allocator",
    "Counters",
    "File",
    "Frame",
    "Function",
    "Line",
    "MallocTracerError",
    "Node",
    "RelatedTracesOutputMode",
    "Scope",
    "Thread",
    "Trace",
    "Tracer",
    "load",
    "merge",
    "profile",
    "trace",
]

__version__ = "2.0.0"
