// Writes tests/data/sample.json and tests/data/difference.json: the trace of a small program, and what has changed in it when its rows
// became more and it was edited. Made up, but with numbers that add up. `node tests/make_sample.mjs`
import { writeFileSync } from "node:fs";
import { TraceMaker } from "./traces.mjs";

const IO = `"""Reads the measurements of a day and keeps those that are wanted."""

import json

import numpy as np

from app.util import f, walk
from app.cache import cache

LIMIT = 1000


class Reader:
    """One file, read once."""

    def __init__(self, path):
        self.path = path
        self.rows = None

    def __repr__(self):
        return f"Reader({self.path!r})"

    def close(self):
        self.rows = None


def unused(path):
    """Nothing of this runs."""
    with open(path) as file:
        return json.load(file)


# What the program is about.
def load(path, n):
    """Returns the rows of a file, and how deep they are nested."""
    head = np.empty(1000)
    rows = [f(i) for i in range(n)]
    x = np.zeros(800_000)
    for _ in range(20):
        x = x * 2.0 + 1.0  # twenty large temporaries
    if "table" in path:
        cache[path] = rows
    text = json.dumps({"rows": rows[:100], "name": 'a "quoted" name'})
    depth = walk(rows, 1000)
    return rows, head, len(text), depth


def main():
    load("data/table.json", 50_000)


if __name__ == "__main__":
    main()
`;

const UTIL = `"""Small functions."""


def walk(rows, depth):
    if depth == 0:
        return [len(rows)]
    return walk(rows, depth - 1) + [depth]


def f(i):
    a = (i, i + 1)
    return [str(x) for x in a]
`;

// Before the change: one line fewer in the middle, another one that is gone now.
const IO_BEFORE = IO.replace('    """Returns the rows of a file, and how deep they are nested."""\n', "").replace(
  "        cache[path] = rows\n",
  "        cache[path] = list(rows)  # a copy\n",
);

const io = "/home/user/project/app/io.py";
const util = "/home/user/project/app/util.py";
const json = "/usr/lib/python3.13/json/encoder.py";
const numeric = "/usr/lib/python3/dist-packages/numpy/_core/numeric.py";

const at = (text, source) => source.split("\n").findIndex((line) => line.includes(text)) + 1;
const load = (text) => [io, "load", at(text, IO)];

/** Adds one run of the program: `n` rows, and what else differs. */
function run(maker, n, cached, { earlier = 0 } = {}) {
  const sign = earlier ? -1 : 1;
  const add = (path, { size, ...counts }) => {
    const { allocated, peak = 0, live = 0, temporary = 0, reallocated = 0, ...where } = counts;
    maker.add(path, {
      size,
      allocated: sign * allocated,
      peak: sign * peak,
      live: sign * live,
      temporary: sign * temporary,
      reallocated: sign * reallocated,
      earlier,
      ...where,
    });
  };
  add([load("head = np.empty")], { size: 8000, allocated: 1, peak: 1, live: 1, allocator: "tracked" });
  add([load("rows = [f(i)")], { size: 56, allocated: 220, peak: 1, live: 1, reallocated: 219 });
  const rows = [load("rows = [f(i)"), [util, "f", at("return [str", UTIL)]];
  add([...rows], { size: 72, allocated: n, peak: n, live: n });
  add([...rows], { size: 51, allocated: 2 * n, peak: 2 * n, live: 2 * n });
  add([load("rows = [f(i)"), [util, "f", at("a = (i", UTIL)]], { size: 64, allocated: n, temporary: n });
  add([load("x = np.zeros"), [numeric, "zeros", 117]], { size: 6_400_000, allocated: 1, allocator: "mmap" });
  add([load("x = x * 2.0")], { size: 6_400_000, allocated: 40, peak: 2, live: 1, temporary: 20, allocator: "mmap" });
  add([cached], { size: 16_384, allocated: 4, peak: 0, live: earlier ? 4 : 1, allocator: "python mem" });
  const dumps = [load("text = json.dumps"), [json, "JSONEncoder.encode", 200], [json, "JSONEncoder.iterencode", 261]];
  add(dumps, { size: 131_072, allocated: 1, peak: 0, live: 0, temporary: 1, allocator: "python raw" });
  add(dumps, { size: 48, allocated: 311, peak: 0, live: 0, temporary: 280 });
  add([load("text = json.dumps")], { size: 7_211, allocated: 1, peak: 0, live: 1 });
  const recursion = [load("depth = walk")];
  for (let depth = 0; depth < 200; depth++) {
    recursion.push([util, "walk", at("return walk", UTIL)]);
    add(recursion, { size: 88, allocated: 2, live: 1, temporary: depth % 2 });
  }
  add([...recursion, [util, "walk", at("return [len", UTIL)]], { size: 64, allocated: 1, live: 1 });
  add([], { size: 4096, allocated: 12, peak: 3, live: 2, thread: "pool-1", allocator: "malloc" });
  add([load("rows = [f(i)")], {
    size: 1024,
    allocated: earlier ? 60 : 40,
    peak: 8,
    live: 0,
    temporary: 11,
    thread: "pool-1",
    allocator: "malloc",
  });
}

const LISTING = [[io, at("def load", IO), at("return rows, head", IO)]];

export function sample() {
  const maker = new TraceMaker();
  const n = 38_000;
  run(maker, n, load("cache[path] = rows"));
  const ns = Array.from({ length: 200 }, (_, index) => index * 60_000);
  const bytes = ns.map((_, index) => {
    if (index < 100) return Math.round((index / 100) * n * 174);
    return n * 174 + 6_400_000 * (index < 180 ? 1 + (index % 2) : 1) + (index === 151 ? 28_336 : 0);
  });
  return maker.json({
    lost: [["allocations of signal handlers", 3]],
    timeline: { ns, live_bytes: bytes },
    block_sizes: maker.blockSizes(),
    sources: [
      [io, 1, IO],
      [util, 1, UTIL],
    ],
    listing: LISTING,
  });
}

/** What `new.diff(old)` gives: the rows of the new trace, and those of the old one negated. */
export function difference() {
  const maker = new TraceMaker();
  run(maker, 50_000, load("cache[path] = rows"));
  run(maker, 38_000, [io, "load", -at("# a copy", IO_BEFORE)], { earlier: 1 });
  return maker.json({
    difference: true,
    block_sizes: maker.blockSizes(),
    duration_ns: 1_200_000,
    sources: [
      [io, 1, IO],
      [util, 1, UTIL],
    ],
    earlierSources: [
      [io, 1, IO_BEFORE],
      [util, 1, UTIL],
    ],
    listing: LISTING,
  });
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const [name, trace] of [
    ["sample", sample()],
    ["difference", difference()],
  ]) {
    writeFileSync(new URL(`data/${name}.json`, import.meta.url), `${JSON.stringify(trace)}\n`);
  }
}
