"""The page sums a trace by itself, in TypeScript: what it must come to is what we say of the files of its tests."""

import json
import os
from pathlib import Path

import pytest

import malloc_tracer

DATA = Path(__file__).parents[2] / "viewer/tests/data"


@pytest.mark.parametrize("name", ["sample", "difference"])
def test_sums_that_the_page_must_come_to(name):
    trace = malloc_tracer.load(DATA / f"{name}.json").to_dict()
    sums = {table: trace[table] for table in ("lines", "functions", "files", "threads", "allocators")}
    path = DATA / f"{name}.sums.json"
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.write_text(json.dumps(sums) + "\n")
    assert json.loads(path.read_text()) == sums, f"{path}: run once with UPDATE_GOLDEN=1"
