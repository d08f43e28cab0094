"""The forty programs of benchmarks/accuracy.py: every number is what arithmetic says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from engine import compiler
from sizes import FREE_THREADED
from test_engine_process import ENVIRONMENT

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"

MEASURES_ALL = """
import dataclasses, json, sys
import accuracy
folder = sys.argv[1]
accuracy.build(folder)
sys.path.insert(0, folder)
from accuracy_programs import PROGRAMS
pairs = {}
for name, program in PROGRAMS.items():
    pairs[name] = [accuracy.measured(name, "ours"), list(dataclasses.astuple(program.truth))]
    if pairs[name][1][2] is None:  # a peak that the program leaves open
        pairs[name][0][2] = None
print(json.dumps(pairs))
"""

# What these take there differs: lists grow without realloc, the collector makes lists of its own, and two threads' peak
# is within their credit.
OTHERS_WITHOUT_A_GIL = (
    {"a list that grows", "cycles that are collected", "small arrays from numpy's cache", "a Python thread from before"}
    if FREE_THREADED
    else set()
)


def test_every_number_of_the_forty_programs_is_the_truth(tmp_path):
    compiler("cc", "gcc", "clang")
    path = os.pathsep.join([str(BENCHMARKS), ENVIRONMENT["PYTHONPATH"]])
    done = subprocess.run(
        [sys.executable, "-c", MEASURES_ALL, str(tmp_path)],
        capture_output=True, text=True, env={**ENVIRONMENT, "PYTHONPATH": path}, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    pairs = json.loads(done.stdout)
    assert len(pairs) == 40
    assert {name: pair for name, pair in pairs.items() if pair[0] != pair[1] and name not in OTHERS_WITHOUT_A_GIL} == {}
