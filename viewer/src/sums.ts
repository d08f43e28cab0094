import { METRICS, type Trace } from "./model";

// Sums of one trace under a choice of thread and allocator: self and total of every node, then of every place.

export interface Filter {
  thread: number; // -1: all
  allocator: number; // -1: all
}

/** One line of a table: where, and its twenty numbers. */
export interface Place {
  id: number;
  function: string;
  file: number; // -1: the place is no part of a file
  line: number; // 0: the place is no line
  self: Float64Array;
  total: Float64Array;
}

export type Table = "lines" | "functions" | "files" | "threads" | "allocators";
export const TABLES: readonly Table[] = ["lines", "functions", "files", "threads", "allocators"];

export interface Sums {
  /** By metric, then node. */
  self: Float64Array[];
  total: Float64Array[];
  /** Width of a node where numbers may be negative: the changes of its subtree, each as its absolute value. */
  weight: Float64Array[] | null;
  tables: Record<Table, Place[]>;
  /** The trace's ten numbers under the filter. */
  all: Float64Array;
  /** Nodes with events of their own, and nodes with events of their own or below. */
  ran: Uint8Array;
  ranBelow: Uint8Array;
}

/** Place numbers of each node, and whether the node is the outermost one of its place on its stack. */
export interface Placing {
  place: Int32Array;
  outermost: Uint8Array;
  places: { function: string; file: number; line: number }[];
}

export interface Placings {
  lines: Placing;
  functions: Placing;
  files: Placing;
}

function placing(trace: Trace, key: (frame: number) => string, withLine: boolean, withFunction: boolean): Placing {
  const ids = new Map<string, number>();
  const places: Placing["places"] = [];
  const ofFrame = new Int32Array(trace.frames.length);
  trace.frames.forEach((frame, index) => {
    const name = key(index);
    let id = ids.get(name);
    if (id === undefined) {
      id = places.length;
      ids.set(name, id);
      places.push({
        function: withFunction ? frame.function : "",
        file: frame.file,
        line: withLine ? frame.line : 0,
      });
    }
    ofFrame[index] = id;
  });
  const size = trace.nodeFrame.length;
  const place = new Int32Array(size);
  const outermost = new Uint8Array(size);
  const depthOfPlace = new Int32Array(places.length);
  const open: number[] = [];
  for (let node = 0; node < size; node++) {
    const frame = trace.nodeFrame[node] as number;
    while (open.length >= (trace.nodeDepth[node] as number) && open.length > 0) {
      const closed = place[open.pop() as number] as number;
      (depthOfPlace[closed] as number)--;
    }
    const id = ofFrame[frame] as number;
    place[node] = id;
    // The root is no call: its own blocks are those without any frame.
    if (node === 0) continue;
    outermost[node] = depthOfPlace[id] === 0 ? 1 : 0;
    (depthOfPlace[id] as number)++;
    open.push(node);
  }
  return { place, outermost, places };
}

export function placings(trace: Trace): Placings {
  const frame = (index: number) => trace.frames[index] as Trace["frames"][number];
  return {
    lines: placing(trace, (index) => `${frame(index).file}:${frame(index).line}`, true, true),
    functions: placing(trace, (index) => `${frame(index).file}:${frame(index).function}`, false, true),
    files: placing(trace, (index) => `${frame(index).file}`, false, false),
  };
}

function tableOf(placed: Placing, self: Float64Array[], total: Float64Array[], shown: Uint8Array): Place[] {
  const rows: Place[] = placed.places.map((place, id) => ({
    id,
    ...place,
    self: new Float64Array(METRICS.length),
    total: new Float64Array(METRICS.length),
  }));
  const used = new Uint8Array(rows.length);
  for (let node = 0; node < placed.place.length; node++) {
    if (!shown[node]) continue;
    const id = placed.place[node] as number;
    const row = rows[id] as Place;
    used[id] = 1;
    for (let metric = 0; metric < METRICS.length; metric++) {
      const own = self[metric]?.[node] as number;
      if (own !== 0) row.self[metric] = (row.self[metric] as number) + own;
      const below = node === 0 ? own : placed.outermost[node] ? (total[metric]?.[node] as number) : 0;
      if (below !== 0) row.total[metric] = (row.total[metric] as number) + below;
    }
  }
  return rows.filter((row) => used[row.id]);
}

/** Sums the trace's cells that pass the filter. Nodes without any event below them do not appear in the tables. */
export function sum(trace: Trace, placed: Placings, filter: Filter): Sums {
  const size = trace.nodeFrame.length;
  const { cells } = trace;
  const self = METRICS.map(() => new Float64Array(size));
  const ran = new Uint8Array(size);
  const byThread = trace.threads.map((thread, id) => part(id, thread.name, trace.hasCells ? null : thread.self));
  const byAllocator = trace.allocators.map((one, id) => part(id, one.name, trace.hasCells ? null : one.self));
  const all = new Float64Array(METRICS.length);
  const weight = trace.signed ? METRICS.map(() => new Float64Array(size)) : null;
  const passes = new Uint8Array(cells.node.length);
  for (let cell = 0; cell < passes.length; cell++) {
    const ok =
      (filter.thread < 0 || cells.thread[cell] === filter.thread) &&
      (filter.allocator < 0 || cells.allocator[cell] === filter.allocator);
    if (!ok) continue;
    passes[cell] = 1;
  }
  for (let metric = 0; metric < METRICS.length; metric++) {
    const values = cells.values[metric] as Float64Array;
    const own = self[metric] as Float64Array;
    const width = weight?.[metric];
    for (let cell = 0; cell < passes.length; cell++) {
      if (!passes[cell]) continue;
      const value = values[cell] as number;
      const node = cells.node[cell] as number;
      if (value === 0) continue;
      ran[node] = 1;
      if (width) (width[node] as number) += Math.abs(value);
      (own[node] as number) += value;
      (all[metric] as number) += value;
      const thread = byThread[cells.thread[cell] as number];
      if (thread) (thread.self[metric] as number) += value;
      const allocator = byAllocator[cells.allocator[cell] as number];
      if (allocator) (allocator.self[metric] as number) += value;
    }
  }
  for (const row of [...byThread, ...byAllocator]) row.total.set(row.self);
  const total = self.map((own) => own.slice());
  const ranBelow = ran.slice();
  for (let node = size - 1; node > 0; node--) {
    if (ranBelow[node]) ranBelow[trace.nodeParent[node] as number] = 1;
  }
  // The root is a place of the tables only by its own blocks, those without a frame.
  const inTables = ranBelow.slice();
  inTables[0] = ran[0] ?? 0;
  for (const column of [...total, ...(weight ?? [])]) {
    for (let node = size - 1; node > 0; node--) {
      const value = column[node] as number;
      if (value !== 0) (column[trace.nodeParent[node] as number] as number) += value;
    }
  }
  return {
    self,
    total,
    weight,
    all,
    ran,
    ranBelow,
    tables: {
      lines: tableOf(placed.lines, self, total, inTables),
      functions: tableOf(placed.functions, self, total, inTables),
      files: tableOf(placed.files, self, total, inTables),
      threads: byThread.filter(hasEvents),
      allocators: byAllocator.filter(hasEvents),
    },
  };
}

function part(id: number, name: string, self: number[] | null): Place {
  const numbers = self ? Float64Array.from(self) : new Float64Array(METRICS.length);
  return { id, function: name, file: -1, line: 0, self: numbers, total: new Float64Array(METRICS.length) };
}

function hasEvents(row: Place): boolean {
  return row.self.some((value) => value !== 0);
}
