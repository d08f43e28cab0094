"""What the command line has to say beside its output."""

from __future__ import annotations

import contextlib
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def tell(message: str, *more: str, stream: Any = None) -> None:
    """Says `message`, and lines below it, on `stream`, else on standard error.

    Where that is closed, they go to the terminal if there is one: standard output is somebody else's.
    """
    text = "".join(f"{line}\n" for line in (f"malloc-tracer: {message}", *more))
    stream = stream or sys.stderr
    if stream is not None:
        with contextlib.suppress(OSError, ValueError):  # a full disk, a pipe without a reader; closed by the program
            stream.write(text)
            stream.flush()
            return
    with contextlib.suppress(OSError), open("/dev/tty", "w", encoding="utf-8", errors="backslashreplace") as terminal:
        terminal.write(text)
