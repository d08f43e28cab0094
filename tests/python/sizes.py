"""What the objects of the tests take in this interpreter: layouts change from version to version."""

from __future__ import annotations

import sys

# The tuple that carries the argument of a call like `bytearray(8000)`, gone when it returns.
ARGUMENT = sys.getsizeof((0,))


# Free-threaded builds have larger objects, an allocator that is not pymalloc, lists that grow without realloc, and a
# copy of a function's instructions for every thread that runs it at the same time as another.
FREE_THREADED = not getattr(sys, "_is_gil_enabled", lambda: True)()
# What lies before a list's items: for how many there is room.
LIST_HEAD = 8 if FREE_THREADED else 0

# 3.9 cannot switch all of its free lists off, and says so in every result and listing.
OLD_LISTS = sys.version_info < (3, 10)
LOST = "Lost: 1 small objects reused unseen (CPython 3.9 cannot switch its free lists off)\n" if OLD_LISTS else ""


def array(size: int) -> int:
    """A bytearray's two blocks: the object and its content."""
    return sys.getsizeof(bytearray(size))
