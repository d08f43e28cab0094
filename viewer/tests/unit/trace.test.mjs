import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { difference, sample } from "../make_sample.mjs";
import { bigTrace, forPage, NUMBERS, TraceMaker } from "../traces.mjs";
import { viewer } from "./modules.mjs";

const { placings, sum, Tree, layout } = viewer;
const load = (json) => viewer.load(forPage(json));
const ALL = { thread: -1, allocator: -1, side: "both" };
const copy = (json) => JSON.parse(JSON.stringify(json));
const loaded = (json) => load(copy(json));
const sums = (trace, filter = ALL) => sum(trace, placings(trace), filter);
const LIVE = 0;

function readError(json) {
  try {
    load(json);
  } catch (error) {
    return error.message;
  }
  return "no error";
}

test("the self column of every table, and the tree, add up to the trace's own ten numbers", () => {
  for (const json of [sample(), difference(), bigTrace(3000)]) {
    const trace = loaded(json);
    const result = sums(trace);
    const wanted = NUMBERS.map((name) => json.sum[name]);
    assert.deepEqual([...result.all], wanted);
    for (const [name, rows] of Object.entries(result.tables)) {
      const found = wanted.map((_, metric) => rows.reduce((total, row) => total + row.self[metric], 0));
      assert.deepEqual(found, wanted, name);
    }
    assert.deepEqual(
      result.total.map((column) => column[0]),
      wanted,
    );
  }
});

test("every number of every table is that of the engine (tests/python/test_page.py writes them)", () => {
  const numbers = (row) =>
    [row.self, row.total].map((column) => Object.fromEntries(NUMBERS.map((n, i) => [n, column[i]])));
  const ordered = (rows) => rows.map((row) => JSON.stringify(row)).sort();
  for (const name of ["sample", "difference"]) {
    const read = (file) => JSON.parse(readFileSync(new URL(`../data/${file}`, import.meta.url), "utf8"));
    const trace = load(read(`${name}.json`));
    const { tables } = sums(trace);
    const wanted = read(`${name}.sums.json`);
    const places = {
      lines: (row) => ({ file: trace.files[row.file].name, number: row.line, function: row.function }),
      functions: (row) => ({ name: row.function, file: trace.files[row.file].name }),
      files: (row) => trace.files[row.file],
      threads: (row) => ({ name: row.function, id: Number(trace.threads[row.id].id) }),
      allocators: (row) => ({ name: row.function }),
    };
    for (const [table, place] of Object.entries(places)) {
      const found = tables[table].map((row) => {
        const [self, total] = numbers(row);
        return { ...place(row), self, total };
      });
      assert.deepEqual(ordered(found), ordered(wanted[table]), `${name}: ${table}`);
    }
  }
});

test("filters by thread and allocator are exact: their parts make the whole", () => {
  const trace = loaded(bigTrace(2000));
  const whole = sums(trace).all;
  for (const key of ["thread", "allocator"]) {
    const parts = (key === "thread" ? trace.threads : trace.allocators).map(
      (_, row) => sums(trace, { ...ALL, [key]: row }).all,
    );
    assert.ok(parts.every((part) => part[4] > 0));
    assert.deepEqual(
      [...whole],
      [...whole].map((_, metric) => parts.reduce((total, part) => total + part[metric], 0)),
    );
  }
});

test("in a total a block counts once, however often the place stands on its stack", () => {
  const maker = new TraceMaker();
  const walk = ["/a.py", "walk", 3];
  const other = ["/a.py", "other", 9];
  maker.add([walk, walk, other, walk], { size: 10, allocated: 4, live: 4 });
  maker.add([walk], { size: 1, allocated: 1, live: 1 });
  const { tables } = sums(loaded(maker.json()));
  const line = (number) => tables.lines.find((row) => row.line === number);
  assert.equal(line(3).total[LIVE], 41);
  assert.equal(line(3).self[LIVE], 41);
  assert.equal(line(9).total[LIVE], 40);
  assert.equal(line(9).self[LIVE], 0);
  assert.equal(tables.files[0].total[LIVE], 41);
});

test("blocks without a frame are the line 0 of <native>, which has no callees", () => {
  const maker = new TraceMaker();
  maker.add([], { size: 7, allocated: 1, live: 1 });
  maker.add([["/a.py", "f", 1]], { size: 100, allocated: 1, live: 1 });
  maker.add([["<native>", "<native>", 0]], { size: 50, allocated: 1, live: 1 });
  const row = sums(loaded(maker.json())).tables.lines.find((one) => one.line === 0);
  assert.equal(row.function, "<native>");
  assert.deepEqual([row.self[LIVE], row.total[LIVE]], [57, 57]);
});

test("nodes may come in any order with parents first", () => {
  const json = copy(sample());
  const size = json.nodes.parent.length;
  // Breadth first: by depth, which keeps parents before children but is no preorder.
  const depth = [];
  json.nodes.parent.forEach((parent, node) => {
    depth[node] = node === 0 ? 0 : depth[parent] + 1;
  });
  const order = [...Array(size).keys()].sort((a, b) => depth[a] - depth[b] || b - a);
  const place = [];
  order.forEach((old, now) => {
    place[old] = now;
  });
  const moved = copy(json);
  moved.nodes.parent = order.map((old) => place[json.nodes.parent[old]]);
  moved.nodes.frame = order.map((old) => json.nodes.frame[old]);
  moved.rows.node = json.rows.node.map((node) => place[node]);
  const key = (row) => `${row.function}:${row.line}`;
  const lines = (value) =>
    sums(load(value))
      .tables.lines.map((row) => [key(row), [...row.self], [...row.total]])
      .sort((a, b) => (a[0] < b[0] ? -1 : 1));
  assert.deepEqual(lines(moved), lines(json));
});

test("boxes of the flame graph lie within their caller, and add up", () => {
  const trace = loaded(bigTrace(5000));
  const all = sums(trace);
  for (const inverted of [false, true]) {
    const tree = new Tree(trace, all, { metric: 4, inverted, folded: false });
    const { boxes } = layout(tree, tree.root, 1000);
    const byItem = new Map(boxes.filter((box) => box.skipped === 0).map((box) => [box.item, box]));
    for (const box of boxes) {
      const parent = box.item.parent && byItem.get(box.item.parent);
      if (!parent) continue;
      assert.ok(box.x >= parent.x - 1e-6 && box.x + box.width <= parent.x + parent.width + 1e-6);
      assert.equal(box.row, parent.row + 1);
    }
    const top = tree.children(tree.root).reduce((total, item) => total + item.width, 0);
    assert.equal(top, all.all[4] - (inverted ? 0 : all.self[4][0]));
    assert.deepEqual([...tree.numbers(tree.root, false)], [...all.all]);
  }
});

test("a recursion of 1,000 frames is one box, and unfolds", () => {
  const maker = new TraceMaker();
  const f = ["/a.py", "f", 2];
  const path = Array(1000).fill(f);
  maker.add(path, { size: 8, allocated: 1, live: 1 });
  maker.add([...path, ["/a.py", "leaf", 9]], { size: 100, allocated: 1, live: 1 });
  maker.add([f, ["/a.py", "leaf", 9]], { size: 1000, allocated: 1, live: 1 });
  const trace = loaded(maker.json());
  const all = sums(trace);
  for (const inverted of [false, true]) {
    const folded = new Tree(trace, all, { metric: LIVE, inverted, folded: true });
    const { rows } = layout(folded, folded.root, 1000, 0);
    assert.equal(rows, 3);
  }
  const folded = new Tree(trace, all, { metric: LIVE, inverted: false, folded: true });
  const [item] = folded.children(folded.root);
  const [leaf] = folded.children(item);
  assert.equal(item.repeat, 1000);
  assert.equal(leaf.width, 1100);
  assert.equal(folded.numbers(item, true)[LIVE], 8);
  assert.equal(folded.numbers(item, false)[LIVE], 1108);
  assert.equal(folded.find(leaf.hash), leaf);
  const open = new Tree(trace, all, { metric: LIVE, inverted: false, folded: false });
  assert.equal(layout(open, open.root, 1000, 0).rows, 1002);
});

test("a difference knows both sides: new, gone and changed places, and the width of the larger side", () => {
  const maker = new TraceMaker();
  maker.add([["/a.py", "f", 1]], { size: 1, allocated: 30, live: 30 });
  maker.add([["/a.py", "f", 1]], { size: 1, allocated: -10, live: -10, earlier: 1 });
  maker.add([["/a.py", "f", 2]], { size: 1, allocated: 5, live: 5 });
  maker.add([["/a.py", "f", -4]], { size: 1, allocated: -50, live: -50, earlier: 1 });
  maker.add([["/a.py", "f", 6]], { size: 1, allocated: 7, live: 7 });
  maker.add([["/a.py", "f", 6]], { size: 1, allocated: -7, live: -7, earlier: 1 });
  const trace = loaded(maker.json({ difference: true }));
  const both = sums(trace);
  const row = (line) => both.tables.lines.find((one) => one.line === line);
  assert.deepEqual(
    [1, 2, -4, 6].map((line) => [row(line).self[LIVE], row(line).sides]),
    [
      [20, 3],
      [5, 1],
      [-50, 2],
      [0, 3],
    ],
  );
  assert.equal(both.weight[LIVE][0], 30 + 5 + 50 + 7);
  assert.equal(both.changes[LIVE], 75);
  assert.equal(sums(trace, { ...ALL, side: "now" }).all[LIVE], 42);
  assert.equal(sums(trace, { ...ALL, side: "before" }).all[LIVE], -67);
});

test("what is no trace, or damaged, is an error in words", () => {
  const damaged = (change) => {
    const json = copy(sample());
    change(json);
    return readError(json);
  };
  assert.throws(() => viewer.load([]), { message: "The file is not an object" });
  assert.throws(() => viewer.load(sample()), { message: "The file is not a trace of malloc_tracer" });
  assert.equal(readError({ a: 1 }), "The file is not a trace of malloc_tracer");
  assert.equal(
    damaged((json) => {
      json.version = 2;
    }),
    "The trace has format version 2; this page reads up to version 1. Use a newer malloc_tracer",
  );
  assert.equal(
    damaged((json) => json.rows.live_bytes.pop()),
    `rows.live_bytes has ${sample().rows.node.length - 1} rows, not ${sample().rows.node.length}`,
  );
  assert.equal(
    damaged((json) => json.rows.thread.fill(99)),
    "rows.thread: there is no row 99",
  );
  assert.equal(
    damaged((json) => json.rows.node.fill(-1)),
    "rows.node: there is no row -1",
  );
  assert.equal(
    damaged((json) => json.rows.node.fill(0.5)),
    "rows.node: there is no row 0.5",
  );
  assert.equal(
    damaged((json) => json.nodes.parent.fill(3)),
    `nodes.parent: row 3 stands before its parent 3`,
  );
  assert.equal(
    damaged((json) => json.rows.peak_count.fill({})),
    "rows.peak_count is not a number",
  );
  assert.equal(
    damaged((json) => delete json.strings),
    "strings is not an array",
  );
  assert.equal(
    damaged((json) => {
      json.strings[3] = 5;
    }),
    "strings is not text",
  );
});
