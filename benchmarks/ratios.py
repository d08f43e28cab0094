"""Ratios of the times of rounds.py, and their tables."""

from __future__ import annotations

import math
import statistics

import measure
from rounds import Seconds

# Below this share of the untraced time an added time is noise; both sides of a quotient are raised to it.
NOISE = 0.01


def geomean(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def by_minimum(seconds: dict[str, list[float]], variant: str) -> float:
    return min(seconds[variant]) / min(seconds["untraced"])


def by_median(seconds: dict[str, list[float]], variant: str) -> float:
    return statistics.median(v / u for v, u in zip(seconds[variant], seconds["untraced"]))


def ratio_table(measured: Seconds, variants: list[str]) -> str:
    """One row per workload: untraced milliseconds, then `ratio of minima / median ratio` of each variant."""
    rows = []
    for name, seconds in measured.items():
        cells = [f"{by_minimum(seconds, v):.2f} / {by_median(seconds, v):.2f}" for v in variants]
        rows.append([name, f"{min(seconds['untraced']) * 1e3:.1f}", *cells])
    last = []
    for v in variants:
        minima = geomean([by_minimum(s, v) for s in measured.values()])
        medians = geomean([by_median(s, v) for s in measured.values()])
        last.append(f"**{minima:.3f} / {medians:.3f}**")
    return measure.table(["workload", "untraced ms", *variants], [*rows, ["**geomean**", "", *last]])


def worst(measured: Seconds, variant: str) -> str:
    """The row of the highest ratio apart from deep recursion, and deep recursion."""
    rows = {name: by_minimum(seconds, variant) for name, seconds in measured.items()}
    deep = rows.pop("deep", None)
    parts = []
    if rows:
        name = max(rows, key=lambda n: rows[n])
        parts.append(f"worst row {name} {rows[name]:.2f} ({by_median(measured[name], variant):.2f} by median)")
    if deep is not None:
        parts.append(f"deep recursion {deep:.2f} ({by_median(measured['deep'], variant):.2f})")
    return f"{variant}: " + ", ".join(parts)


def added_against(measured: Seconds, other: str) -> str:
    """Our added time as a fraction of the other tool's: of the sums, and the geometric mean of the rows' quotients."""
    ours_sum = other_sum = 0.0
    quotients = []
    for seconds in measured.values():
        base = min(seconds["untraced"])
        ours_added, other_added = min(seconds["ours"]) - base, min(seconds[other]) - base
        ours_sum += ours_added
        other_sum += other_added
        quotients.append(max(ours_added, NOISE * base) / max(other_added, NOISE * base))
    by_sum = f"1/{other_sum / ours_sum:.1f}" if ours_sum > 0 else "0"
    return f"our added time against {other}'s: {by_sum} (sum), 1/{1 / geomean(quotients):.1f} (geometric mean of rows)"


def print_ratios(measured: Seconds) -> None:
    # In the first round the order is as given.
    variants = [variant for variant in next(iter(measured.values())) if variant != "untraced"]
    print(ratio_table(measured, variants))
    print()
    for variant in variants:
        print(worst(measured, variant))
    if "ours" in variants:
        for other in ("memray-python", "memray", "tracemalloc25", "tracemalloc1"):
            if other in variants:
                print(added_against(measured, other))
