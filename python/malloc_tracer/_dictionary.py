"""A trace as plain dicts and lists."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from ._engine import Counters, Node, TraceData

NUMBERS = (
    "live_bytes",
    "live_count",
    "peak_bytes",
    "peak_count",
    "allocated_bytes",
    "allocated_count",
    "freed_bytes",
    "freed_count",
    "temporary_count",
    "reallocated_count",
)


def trace_dict(data: TraceData) -> dict[str, Any]:
    """Returns the trace's attributes by name; the tree flat, since a deep one nested would be too deep for `json`."""
    return {
        "name": data.name,
        "python_version": data.python_version,
        "duration_ns": data.duration_ns,
        **_counters(data.sum),
        "lines": _places(data.lines, "file", "number", "function"),
        "functions": _places(data.functions, "name", "file"),
        "files": _places(data.files, "name", "kind"),
        "threads": _places(data.threads, "name", "id"),
        "allocators": _places(data.allocators, "name"),
        "nodes": _nodes(data.root),
        "timeline": [list(point) for point in data.timeline],
        "block_sizes": data.block_sizes,
        "lost": dict(data.lost),
    }


def _counters(counters: Counters) -> dict[str, int]:
    return {name: getattr(counters, name) for name in NUMBERS}


def _places(places: Iterable[Any], *names: str) -> list[dict[str, Any]]:
    return [{**{name: getattr(place, name) for name in names}, **_self_and_total(place)} for place in places]


def _self_and_total(place: Any) -> dict[str, Any]:
    return {"self": _counters(place.self), "total": _counters(place.total)}


def _nodes(root: Node) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    left: list[tuple[Node, int | None]] = [(root, None)]
    while left:
        node, parent = left.pop()
        frame = {name: getattr(node.frame, name) for name in ("function", "file", "line", "kind")}
        found.append({"parent": parent, "frame": frame, **_self_and_total(node)})
        index = len(found) - 1
        left += [(child, index) for child in reversed(node.children)]
    return found
