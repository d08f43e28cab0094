"""What the objects of the tests take in this interpreter: layouts change from version to version."""

from __future__ import annotations

import sys

# The tuple that carries the argument of a call like `bytearray(8000)`, gone when it returns.
ARGUMENT = sys.getsizeof((0,))


def array(size: int) -> int:
    """A bytearray's two blocks: the object and its content."""
    return sys.getsizeof(bytearray(size))
