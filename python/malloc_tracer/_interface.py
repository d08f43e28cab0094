"""All that users see, under its names; imported at the first use of any of them (`__init__`)."""

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

by_name = {"__all__": __all__, **{name: globals()[name] for name in __all__}}
