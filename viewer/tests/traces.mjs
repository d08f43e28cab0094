// Makes traces in the format of docs/trace-format.md, and pages of them as the HTML writer does, for the tests.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

export const NUMBERS = [
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
];

/** Row numbers of distinct values, in the order of their first appearance. */
class Rows {
  values = [];
  byKey = new Map();

  of(value) {
    const key = JSON.stringify(value);
    if (!this.byKey.has(key)) this.byKey.set(key, this.values.push(value) - 1);
    return this.byKey.get(key);
  }
}

/** Collects rows by path; a path is a list of [file, function, line]. */
export class TraceMaker {
  strings = new Rows();
  threads = new Rows();
  allocators = new Rows();
  files = new Rows();
  functions = new Rows();
  frames = new Rows();
  nodes = new Rows();
  rows = new Map();
  sizes = [];

  constructor() {
    this.nodes.of([0, -1]);
  }

  kind(file) {
    if (file === "<native>") return "native";
    return file.startsWith("/usr/lib/") ? "library" : "yours";
  }

  node(path) {
    let node = 0;
    for (const [file, name, line] of path) {
      const place = this.functions.of([this.strings.of(name), this.files.of(file)]);
      node = this.nodes.of([node, this.frames.of([place, line])]);
    }
    return node;
  }

  /** Adds blocks of one size: how many were allocated, were alive at the peak, are alive, were temporary, came from realloc. */
  add(path, { size, allocated, peak = 0, live = 0, temporary = 0, reallocated = 0, ...where }) {
    const freed = allocated - live;
    const bits = size.toString(2).length;
    this.sizes[bits] = (this.sizes[bits] ?? 0) + allocated;
    this.addNumbers(
      path,
      [live * size, live, peak * size, peak, allocated * size, allocated, freed * size, freed, temporary, reallocated],
      where,
    );
  }

  /** How many blocks were allocated of each size, by its bits. */
  blockSizes() {
    return Array.from(this.sizes, (blocks) => blocks ?? 0);
  }

  addNumbers(path, numbers, { thread = "MainThread", allocator = "python object", earlier = 0 }) {
    const place = [this.node(path), this.threads.of(thread), this.allocators.of(allocator), earlier];
    const key = place.join();
    if (!this.rows.has(key)) this.rows.set(key, { place, numbers: NUMBERS.map(() => 0) });
    const row = this.rows.get(key);
    numbers.forEach((value, index) => {
      row.numbers[index] += value;
    });
  }

  /** The trace; `sources` and `listing` are lists of [file, first line, text or last line]. */
  json({ sources = [], earlierSources = [], listing = [], lost = [], difference = false, ...extra } = {}) {
    const string = (text) => this.strings.of(text);
    const rows = [...this.rows.values()];
    const withRows = new Set(rows.map((row) => row.place[0]));
    this.nodes.values.forEach((_, node) => {
      if (node > 0 && !withRows.has(node)) rows.push({ place: [node, 0, 0, 0], numbers: NUMBERS.map(() => 0) });
    });
    rows.sort((a, b) => a.place[0] - b.place[0]);
    const allSources = [...sources.map((one) => [...one, 0]), ...earlierSources.map((one) => [...one, 1])];
    const column = (list, index) => list.map((row) => row[index]);
    const fileNames = this.files.values.map(string);
    const threadNames = this.threads.values.map(string);
    const allocatorNames = this.allocators.values.map(string);
    return {
      format: "malloc_tracer trace",
      version: 1,
      writer: "malloc_tracer 2.0.0",
      name: "load",
      difference,
      python_version: "3.13.5",
      command: ["python", "app/main.py", "data.json"],
      time_ms: 1_764_000_000_000,
      duration_ns: 12_034_567,
      sum: Object.fromEntries(
        NUMBERS.map((name, index) => [name, rows.reduce((sum, row) => sum + row.numbers[index], 0)]),
      ),
      threads: { name: threadNames, id: threadNames.map((_, index) => 4711 + index) },
      allocators: { name: allocatorNames },
      files: { name: fileNames, kind: this.files.values.map((file) => this.kind(file)) },
      functions: { name: column(this.functions.values, 0), file: column(this.functions.values, 1) },
      frames: { function: column(this.frames.values, 0), line: column(this.frames.values, 1) },
      nodes: { parent: column(this.nodes.values, 0), frame: column(this.nodes.values, 1) },
      rows: {
        node: rows.map((row) => row.place[0]),
        thread: rows.map((row) => row.place[1]),
        allocator: rows.map((row) => row.place[2]),
        ...Object.fromEntries(NUMBERS.map((name, index) => [name, rows.map((row) => row.numbers[index])])),
        ...(difference ? { earlier: rows.map((row) => row.place[3]) } : {}),
      },
      timeline: { ns: [], live_bytes: [] },
      lost: { reason: lost.map(([reason]) => string(reason)), count: column(lost, 1) },
      sources: {
        file: allSources.map(([file]) => string(file)),
        first_line: column(allSources, 1),
        text: column(allSources, 2),
        ...(difference ? { earlier: column(allSources, 3) } : {}),
      },
      listing: {
        file: listing.map(([file]) => string(file)),
        first_line: column(listing, 1),
        last_line: column(listing, 2),
        note: listing.map(() => ""),
        empty_note: "",
        related: "none",
      },
      strings: this.strings.values,
      ...extra,
    };
  }
}

const NAMES = 60;

/** The source of one module of `bigTrace`: functions of twelve lines. */
function bigModule(module) {
  const functions = Array.from({ length: NAMES }, (_, name) => [
    "",
    `def function_${name}(path, rows=(), *, limit=${name}):`,
    `    """Row ${name} of module ${module}, up to 'limit'."""`,
    `    table = {f"key {index}": index * ${name} for index in range(limit)}`,
    "    for row in rows:  # whatever there is",
    "        if row is None or row in table:",
    "            continue",
    `        table[row] = bytes(${name}) + b"text" * 3`,
    "        yield sorted(table.items(), key=lambda pair: pair[1])",
    "    return path.encode()",
    "",
    "",
  ]);
  return ["import os", "", ...functions.flat(), ""].join("\n");
}

/** A call tree of `size` nodes, up to 40 deep, with numbers from a generator that is the same every time, and source. */
export function bigTrace(size) {
  const maker = new TraceMaker();
  let seed = 12345;
  const random = (below) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return (seed >> 8) % below;
  };
  const path = [];
  const threads = ["MainThread", "worker-1", "worker-2"];
  const allocators = ["python object", "python mem", "malloc", "mmap"];
  const file = (module) => `${module < 80 ? "/usr/lib/python3/lib" : "src/app"}/module_${module}.py`;
  while (maker.nodes.values.length < size) {
    path.length = Math.min(path.length, random(40));
    do {
      const module = random(120);
      const name = random(NAMES);
      path.push([file(module), `Class${name % 7}.function_${name}`, 4 + name * 12 + random(8)]);
    } while (random(4) > 0 && path.length < 40);
    const allocated = 1 + random(200);
    const live = random(3) === 0 ? random(allocated + 1) : 0;
    maker.add(path, {
      size: 16 << random(9),
      allocated,
      live,
      peak: Math.max(live, random(allocated + 1)),
      temporary: random(allocated - live + 1),
      thread: threads[random(3)],
      allocator: allocators[random(4)],
    });
  }
  const ns = Array.from({ length: 1024 }, (_, index) => index * 1_000_000);
  return maker.json({
    name: "big",
    sources: Array.from({ length: 120 }, (_, module) => [file(module), 1, bigModule(module)]),
    timeline: { ns, live_bytes: ns.map((_, index) => index * 1000 + random(100_000)) },
    duration_ns: 1_024_000_000,
  });
}

const TEMPLATE = readFileSync(new URL("../../src/report/page.html", import.meta.url), "utf8");

/** A trace's file as the page has it: what counts up in steps from row to row. Wrong files stay wrong. */
export function forPage(json) {
  const steps = (column) => column?.map?.((row, index) => row - (index > 0 ? column[index - 1] : 0)) ?? column;
  return {
    ...json,
    format: json?.format?.replace(/trace$/, "page"),
    nodes: { ...json?.nodes, parent: steps(json?.nodes?.parent) },
    rows: { ...json?.rows, node: steps(json?.rows?.node) },
  };
}

/** The page as the HTML writer makes it; `data` replaces what the trace would be written as. */
export function pageOf(json, { data = gzipSync(JSON.stringify(forPage(json))).toString("base64"), fixed = "" } = {}) {
  return TEMPLATE.replace("<!--malloc_tracer:static-->", () => fixed).replace(
    "<!--malloc_tracer:trace-->",
    () => `<script type="application/json" id="trace" data-encoding="gzip-base64">${data}</script>`,
  );
}
