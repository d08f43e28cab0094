"""The order in which variants take turns, and the times they took."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator

import measure
import tools
from tools import TOOLS, timed
from workloads import WORKLOADS

SLOW = {"tracemalloc1", "tracemalloc25"}
Seconds = dict[str, dict[str, list[float]]]  # workload -> variant -> one time per round


def arguments(description: str) -> argparse.Namespace:
    """What overhead.py was asked for, checked."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slow-rounds", type=int, default=3, help="rounds of tracemalloc (default 3)")
    parser.add_argument("--processes", type=int, default=6, help="children of each kind for `installed` (default 6)")
    parser.add_argument("--variants", default="ours,tracemalloc1,tracemalloc25,memray,memray-python,installed")
    parser.add_argument("--workloads", default=",".join(WORKLOADS))
    parser.add_argument("--cpu", type=int, help="keep to this CPU")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.workloads = options.workloads.split(",")
    options.variants = options.variants.split(",")
    for name in options.workloads:
        if name not in WORKLOADS:
            parser.error(f"no workload {name!r}; there are {', '.join(WORKLOADS)} (arrays needs numpy, frames pandas)")
    for variant in options.variants:
        if variant == "untraced" or variant not in {*TOOLS, "installed"}:
            parser.error(f"no variant {variant!r}; there are {', '.join(TOOLS)}, installed")
    measure.pin(options.cpu)
    return options


def available(variants: list[str]) -> list[str]:
    """The variants that can run here; says which cannot, and why."""
    missing = {}
    for module, names in {"malloc_tracer": ["ours", "installed"], "memray": ["memray", "memray-python"]}.items():
        try:
            __import__(module)
        except ImportError as error:
            missing |= {name: f"{error}" for name in names}
    for name in variants:
        if name in missing:
            print(f"skipped: {name}: {missing[name]}")
    return [name for name in variants if name not in missing]


def schedule(names: list[str], variants: list[str], rounds: int, slow_rounds: int) -> Iterator[tuple[str, str]]:
    """All variants of a workload take turns, in an order that shifts by one each round."""
    variants = available([variant for variant in variants if variant != "installed"])
    for name in names if variants else []:
        print(name, end=" ", file=sys.stderr, flush=True)
        timed(WORKLOADS[name], TOOLS["untraced"])
        for number in range(rounds):
            for variant in turn(["untraced", *variants], number, number < slow_rounds):
                yield name, variant
    print(file=sys.stderr)


def turn(variants: list[str], number: int, slow: bool) -> list[str]:
    """The order of a round, without the slow variants where they have had their share."""
    start = number % len(variants)
    return [variant for variant in variants[start:] + variants[:start] if slow or variant not in SLOW]


class Book:
    """The times of all rounds, and how many allocations ours recorded in each."""

    def __init__(self) -> None:
        self.seconds: Seconds = {}
        self.events: dict[str, list[int]] = {}

    def add(self, name: str, variant: str, seconds: float) -> None:
        self.seconds.setdefault(name, {}).setdefault(variant, []).append(seconds)
        if variant == "ours":
            self.events.setdefault(name, []).append(tools.last_scope.trace.allocated_count)

    def check(self) -> None:
        """A tool that takes our hooks out as it leaves would make us look fast."""
        for name, counts in self.events.items():
            if min(counts) < 0.99 * max(counts):
                print(f"warning: {name}: allocations recorded by ours differ by round: {counts}")


def child(kind: str, names: list[str], rounds: int) -> None:
    """Minimum of each workload in this process, with malloc_tracer used before or never imported."""
    if kind == "installed":
        import malloc_tracer

        with malloc_tracer.Scope("benchmark") as scope:
            bytes(1000)
        scope.trace  # noqa: B018 - what it costs later is part of the question
    for name in names:
        timed(WORKLOADS[name], TOOLS["untraced"])
    print(json.dumps({name: min(timed(WORKLOADS[name], TOOLS["untraced"]) for _ in range(rounds)) for name in names}))


def installed(names: list[str], variants: list[str], processes: int, rounds: int) -> Seconds:
    """The times of `untraced` and `installed`: one minimum per child process."""
    if "installed" not in variants or not available(["installed"]):
        return {}
    seconds: Seconds = {name: {"untraced": [], "installed": []} for name in names}
    for number in range(processes):
        for kind in turn(["untraced", "installed"], number, slow=True):
            times = measure.in_child("--child", kind, "--workloads", ",".join(names), "--rounds", str(rounds))
            for name in names:
                seconds[name][kind].append(times[name])
    return seconds
