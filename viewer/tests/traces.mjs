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

const zeros = () => NUMBERS.map(() => 0);
const addTo = (sum, numbers) => numbers.forEach((value, index) => (sum[index] += value));
const columns = (rows) => Object.fromEntries(NUMBERS.map((name, index) => [name, rows.map((row) => row[index])]));

/** Collects cells by path; a path is a list of [file, function, line]. */
export class TraceMaker {
  files = new Map();
  functions = new Map();
  frames = new Map();
  nodes = new Map([["", 0]]);
  parents = [-1];
  nodeFrames = [-1];
  selves = [zeros()];
  threads = new Map();
  allocators = new Map();
  cells = new Map();

  kind(file) {
    if (file === "<native>") return "native";
    return file.startsWith("/usr/lib/") ? "library" : "yours";
  }

  frame([file, name, line]) {
    if (!this.files.has(file)) this.files.set(file, this.files.size);
    const functionKey = JSON.stringify([file, name]);
    if (!this.functions.has(functionKey)) this.functions.set(functionKey, { row: this.functions.size, name, file: this.files.get(file) });
    const key = JSON.stringify([file, name, line]);
    if (!this.frames.has(key)) this.frames.set(key, { row: this.frames.size, function: this.functions.get(functionKey).row, line });
    return this.frames.get(key).row;
  }

  node(path) {
    let key = "";
    let node = 0;
    for (const step of path) {
      const frame = this.frame(step);
      key += `/${frame}`;
      if (!this.nodes.has(key)) {
        this.nodes.set(key, this.parents.length);
        this.parents.push(node);
        this.nodeFrames.push(frame);
        this.selves.push(zeros());
      }
      node = this.nodes.get(key);
    }
    return node;
  }

  /** Adds blocks of one size: how many were allocated, were alive at the peak, are alive, were temporary, came from realloc. */
  add(path, { size, allocated, peak = 0, live = 0, temporary = 0, reallocated = 0, thread = "MainThread", allocator = "python object" }) {
    const freed = allocated - live;
    this.addNumbers(path, thread, allocator, [
      live * size,
      live,
      peak * size,
      peak,
      allocated * size,
      allocated,
      freed * size,
      freed,
      temporary,
      reallocated,
    ]);
  }

  addNumbers(path, thread, allocator, numbers) {
    const node = this.node(path);
    addTo(this.selves[node], numbers);
    for (const [map, name] of [
      [this.threads, thread],
      [this.allocators, allocator],
    ]) {
      if (!map.has(name)) map.set(name, zeros());
      addTo(map.get(name), numbers);
    }
    const key = JSON.stringify([node, thread, allocator]);
    if (!this.cells.has(key)) this.cells.set(key, { node, thread, allocator, numbers: zeros() });
    addTo(this.cells.get(key).numbers, numbers);
  }

  json(extra = {}) {
    const totals = zeros();
    for (const self of this.selves) addTo(totals, self);
    const cells = [...this.cells.values()];
    const threads = [...this.threads.keys()];
    const allocators = [...this.allocators.keys()];
    return {
      format: "malloc_tracer trace",
      version: 1,
      name: "load",
      python_version: "3.13.5",
      command: "python app/main.py data.json",
      time: 1764000000,
      duration_ns: 12_034_567,
      is_difference: false,
      totals: Object.fromEntries(NUMBERS.map((name, index) => [name, totals[index]])),
      lost: {},
      timeline: { ns: [], live_bytes: [] },
      files: { name: [...this.files.keys()], kind: [...this.files.keys()].map((file) => this.kind(file)) },
      functions: { name: [...this.functions.values()].map((one) => one.name), file: [...this.functions.values()].map((one) => one.file) },
      frames: { function: [...this.frames.values()].map((one) => one.function), line: [...this.frames.values()].map((one) => one.line) },
      nodes: { parent: this.parents, frame: this.nodeFrames, ...columns(this.selves) },
      threads: { name: threads, id: threads.map((_, index) => 4711 + index), ...columns([...this.threads.values()]) },
      allocators: { name: allocators, ...columns([...this.allocators.values()]) },
      cells: {
        node: cells.map((cell) => cell.node),
        thread: cells.map((cell) => threads.indexOf(cell.thread)),
        allocator: cells.map((cell) => allocators.indexOf(cell.allocator)),
        ...columns(cells.map((cell) => cell.numbers)),
      },
      listing: { note: "", related: "none", include: [], exclude: [], sections: [] },
      sources: {},
      ...extra,
    };
  }
}

/** A call tree of `size` nodes, up to 40 deep, with numbers from a generator that is the same every time. */
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
  while (maker.parents.length < size) {
    path.length = Math.min(path.length, random(40));
    do {
      const module = random(120);
      const name = random(60);
      path.push([`${module < 80 ? "/usr/lib/python3/lib" : "src/app"}/module_${module}.py`, `Class${name % 7}.function_${name}`, 10 + name * 12 + random(8)]);
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
  return maker.json({ name: "big", timeline: { ns, live_bytes: ns.map((_, index) => index * 1000 + random(100_000)) }, duration_ns: 1_024_000_000 });
}

const TEMPLATE = readFileSync(new URL("../../src/report/page.html", import.meta.url), "utf8");

/** The JSON as it may stand in HTML. */
export function escaped(json) {
  return JSON.stringify(json).replace(/[<>&\u2028\u2029]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

export function pageOf(json, { gzip = false, text = undefined, fixed = "" } = {}) {
  const content = text ?? (gzip ? gzipSync(JSON.stringify(json)).toString("base64") : escaped(json));
  const encoding = gzip ? "gzip-base64" : "identity";
  return TEMPLATE.replace("<!--malloc_tracer:static-->", () => fixed).replace(
    "<!--malloc_tracer:trace-->",
    () => `<script type="application/json" id="trace" data-encoding="${encoding}">${content}</script>`,
  );
}
