"""Twelve allocation-heavy workloads, each 20 to 100 ms untraced; each returns what it built, and the caller drops it.

`WORKLOADS` maps names to functions, in the order of the tables. Those whose library is not installed are left out.
"""

from __future__ import annotations

import json as json_module
import random
import re
from collections import Counter
from itertools import repeat
from typing import Any


def ints() -> Any:
    """A long list of integers."""
    values = []
    for i in range(600_000):
        values.append(i * 3 + 1000)
    return values


def strings() -> Any:
    """Many short strings."""
    return [str(i) for i in range(300_000)]


def dicts() -> Any:
    """One large dict of tuples."""
    result = {}
    for i in range(150_000):
        result[i] = (i, i + 1000)
    return result


RECORDS = [
    {"id": i, "name": f"name{i}", "values": [i * 1.5, i * 2.5, None, True], "nested": {"a": i, "b": str(i)}}
    for i in range(4_000)
]


def json() -> Any:
    """JSON text made and parsed."""
    return [json_module.loads(json_module.dumps(RECORDS)) for _ in range(2)]


class Point:
    """A small object with two attributes."""

    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y


def objects() -> Any:
    """Instances of a class."""
    return [Point(i, i + 1) for i in range(100_000)]


def descend(depth: int, values: list[list[int]]) -> None:
    values.append([depth])
    if depth:
        descend(depth - 1, values)


def deep() -> Any:
    """Recursion of 200 frames that allocates on every level."""
    values: list[list[int]] = []
    for _ in range(600):
        descend(199, values)
    return values


def churn() -> Any:
    """A loop of temporaries: each list dies as the next is made."""
    last = None
    for i in range(500_000):
        last = [i, last is None]
    return last


def buffers() -> Any:
    """bytes(1000) in a loop: over pymalloc's limit, so straight from malloc."""
    total = 0
    for _ in range(250_000):
        total += len(bytes(1000))
    return total


def nothing(x: None) -> None:
    return x


def calls() -> Any:
    """Python calls that allocate nothing."""
    for _ in repeat(None, 1_000_000):
        nothing(None)
    return None


_random = random.Random(1)
TEXT = " ".join("".join(_random.choices("etaoinshrdlu", k=_random.randint(2, 9))) for _ in range(80_000))
WORD = re.compile(r"\w+")


def words() -> Any:
    """A regular expression and a Counter."""
    return Counter(match.group() for match in WORD.finditer(TEXT)).most_common(20)


WORKLOADS = {w.__name__: w for w in (ints, strings, dicts, json, objects, deep, churn, buffers, calls, words)}

try:
    import numpy as np
except ImportError:
    pass
else:

    def arrays() -> Any:
        """Small numpy arrays, computed with and dropped."""
        kept = []
        for i in range(20_000):
            x = np.arange(50, dtype=np.float64)
            y = x * 2.0 + i
            kept.append(y[:5].copy())
        return kept

    WORKLOADS["arrays"] = arrays

try:
    import pandas as pd
except ImportError:
    pass
else:

    def frames() -> Any:
        """pandas: frames built, filtered, grouped, merged."""
        results = []
        for i in range(10):
            frame = pd.DataFrame({"key": np.arange(2_000) % 50, "value": np.arange(2_000) * 1.5 + i})
            frame["text"] = [f"t{j % 20}" for j in range(2_000)]
            grouped = frame[frame.value > 100].groupby("key").agg({"value": ["mean", "sum"], "text": "first"})
            results.append(frame.merge(grouped.value.reset_index(), on="key"))
        return results

    WORKLOADS["frames"] = frames
