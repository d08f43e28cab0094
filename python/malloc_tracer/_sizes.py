"""Sizes and counts as text: 1024 units, one decimal except for bytes, rounded half up."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._engine import TraceData

_UNITS = ("KiB", "MiB", "GiB", "TiB")


def size(count: int) -> str:
    """Returns "800 B", "7.9 KiB": whole numbers only, so that rounding is the same everywhere."""
    if count < 0:
        return "-" + size(-count)
    if count < 1024:
        return f"{count} B"
    for power, unit in enumerate(_UNITS, start=1):
        tenths = (count * 20 + 1024**power) // (2 * 1024**power)
        if tenths < 10240 or unit == _UNITS[-1]:
            break
    return f"{tenths // 10}.{tenths % 10} {unit}"


def signed_size(count: int) -> str:
    """Returns "+7.9 KiB", "-800 B"."""
    return ("+" if count > 0 else "") + size(count)


def middle_cut(text: str, limit: int) -> str:
    """Returns `text` with its middle left out if it is longer than `limit`."""
    if len(text) <= limit:
        return text
    head = (limit - 3) // 2
    return text[:head] + "..." + text[len(text) - (limit - 3 - head) :]


def summary(data: TraceData) -> str:
    """Returns a trace in one line of at most 160 characters."""
    numbers = data.sum
    shown = signed_size if data.is_difference else size
    sign = "+" if data.is_difference else ""
    text = (
        f": live {shown(numbers.live_bytes)} in {numbers.live_count:{sign},} blocks, peak {shown(numbers.peak_bytes)}, "
        f"allocated {shown(numbers.allocated_bytes)} in {numbers.allocated_count:{sign},}, "
        f"{data.duration_ns / 1e6:{sign},.1f} ms"
    )
    lost = sum(data.lost.values())
    if lost:
        text += f", lost {lost:,}"
    name = middle_cut(data.name, 160 - len("<Trace ''>") - len(text))
    return f"<Trace {name!r}{text}>"
