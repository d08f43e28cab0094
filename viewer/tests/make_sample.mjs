// Writes tests/data/sample.json and tests/data/difference.json: the traces of a small program, before and after a change, made up but
// with numbers that add up. `node tests/make_sample.mjs`
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
`.split("\n");

const UTIL = `"""Small functions."""


def walk(rows, depth):
    if depth == 0:
        return [len(rows)]
    return walk(rows, depth - 1) + [depth]


def f(i):
    a = (i, i + 1)
    return [str(x) for x in a]
`.split("\n");

const io = "/home/user/project/app/io.py";
const util = "/home/user/project/app/util.py";
const json = "/usr/lib/python3.13/json/encoder.py";
const numeric = "/usr/lib/python3/dist-packages/numpy/_core/numeric.py";

const at = (text, lines) => lines.findIndex((line) => line.includes(text)) + 1;
const load = (text) => [io, "load", at(text, IO)];

export function sample(changed) {
  const maker = new TraceMaker();
  const n = changed ? 50_000 : 38_000;
  maker.add([load("head = np.empty")], { size: 8000, allocated: 1, peak: 1, live: 1, allocator: "tracked" });
  maker.add([load("rows = [f(i)")], { size: 56, allocated: 220, peak: 1, live: 1, reallocated: 219 });
  const rows = [load("rows = [f(i)"), [util, "f", at("return [str", UTIL)]];
  maker.add([...rows], { size: 72, allocated: n, peak: n, live: n });
  maker.add([...rows], { size: 51, allocated: 2 * n, peak: 2 * n, live: 2 * n });
  maker.add([load("rows = [f(i)"), [util, "f", at("a = (i", UTIL)]], { size: 64, allocated: n, temporary: n });
  maker.add([load("x = np.zeros"), [numeric, "zeros", 117]], { size: 6_400_000, allocated: 1, allocator: "mmap" });
  maker.add([load("x = x * 2.0")], { size: 6_400_000, allocated: 40, peak: 2, live: 1, temporary: 20, allocator: "mmap" });
  maker.add([load("cache[path] = rows")], { size: 16_384, allocated: changed ? 1 : 4, peak: 0, live: changed ? 1 : 4, allocator: "python mem" });
  const dumps = [load("text = json.dumps"), [json, "JSONEncoder.encode", 200], [json, "JSONEncoder.iterencode", 261]];
  maker.add(dumps, { size: 131_072, allocated: 1, peak: 0, live: 0, temporary: 1, allocator: "python raw" });
  maker.add(dumps, { size: 48, allocated: 311, peak: 0, live: 0, temporary: 280 });
  maker.add([load("text = json.dumps")], { size: 7_211, allocated: 1, peak: 0, live: 1 });
  const recursion = [load("depth = walk")];
  for (let depth = 0; depth < 200; depth++) {
    recursion.push([util, "walk", at("return walk", UTIL)]);
    maker.add(recursion, { size: 88, allocated: 2, live: 1, temporary: depth % 2 });
  }
  maker.add([...recursion, [util, "walk", at("return [len", UTIL)]], { size: 64, allocated: 1, live: 1 });
  maker.add([], { size: 4096, allocated: 12, peak: 3, live: 2, thread: "pool-1", allocator: "malloc" });
  maker.add([load("rows = [f(i)")], { size: 1024, allocated: changed ? 40 : 60, peak: 8, live: 0, temporary: 11, thread: "pool-1", allocator: "malloc" });
  const ns = Array.from({ length: 200 }, (_, index) => index * 60_000);
  const bytes = ns.map((_, index) => {
    if (index < 100) return Math.round((index / 100) * n * 174);
    return n * 174 + 6_400_000 * (index < 180 ? 1 + (index % 2) : 1) + (index === 151 ? 4096 : 0);
  });
  return maker.json({
    lost: changed ? {} : { "signal handlers": 3 },
    timeline: { ns, live_bytes: bytes },
    histogram: {
      below: [16, 32, 64, 128, 256, 1024, 4096, 65_536, 1_048_576, 16_777_216],
      blocks: [0, 12, 3 * n, n, 400, 0, 71, 7, 2, 41],
    },
    sources: { [io]: IO, [util]: UTIL },
    listing: {
      note: "",
      related: "none",
      include: [],
      exclude: [],
      sections: [{ file: io, first_line: at("def load", IO), last_line: at("return rows, head", IO), note: "" }],
    },
  });
}

/** What `new.diff(old)` gives: the same tables, every number new minus old. */
export function difference() {
  const now = sample(true);
  const before = sample(false);
  const minus = (a, b) => Object.fromEntries(Object.entries(a).map(([key, value]) => [key, /_bytes$|_count$/.test(key) ? less(value, b[key]) : value]));
  const less = (a, b) => (Array.isArray(a) ? a.map((value, index) => value - b[index]) : a - b);
  return {
    ...now,
    name: "load",
    is_difference: true,
    duration_ns: 1_200_000,
    totals: minus(now.totals, before.totals),
    nodes: minus(now.nodes, before.nodes),
    threads: minus(now.threads, before.threads),
    allocators: minus(now.allocators, before.allocators),
    cells: minus(now.cells, before.cells),
    timeline: { ns: [], live_bytes: [] },
    histogram: undefined,
    lost: {},
  };
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  for (const [name, trace] of [
    ["sample", sample(false)],
    ["difference", difference()],
  ]) {
    writeFileSync(new URL(`data/${name}.json`, import.meta.url), `${JSON.stringify(trace)}\n`);
  }
}
