import { METRICS, type Trace } from "./model";

// Sums of one trace under a choice of thread and allocator: self and total of every node, then of every place.

export interface Filter {
  thread: number; // -1: all
  allocator: number; // -1: all
  /** In a difference: both sides, or one of them alone. */
  side: "both" | "now" | "before";
}

/** One line of a table: where, and its twenty numbers. */
export interface Place {
  id: number;
  function: string;
  file: number; // -1: the place is no part of a file
  line: number; // 0: the place is no line
  self: Float64Array;
  total: Float64Array;
  /** NOW, BEFORE (only in a difference) or both: whether there are events at the place, and at the place or below it. */
  ownSides: number;
  sides: number;
}

export const NOW = 1;
export const BEFORE = 2;

export type Table = "lines" | "functions" | "files" | "threads" | "allocators";
export const TABLES: readonly Table[] = ["lines", "functions", "files", "threads", "allocators"];

export interface Sums {
  /** By metric, then node. */
  self: Float64Array[];
  total: Float64Array[];
  /** Width of a node in a difference: the larger of its sides, summed over its subtree. */
  weight: Float64Array[] | null;
  /** In a difference: all changes of lines together, each as its absolute value. */
  changes: Float64Array;
  tables: Readonly<Record<Table, Place[]>>;
  /** The trace's ten numbers under the filter. */
  all: Float64Array;
  /** Nodes with events of their own, and nodes with events of their own or below: NOW, BEFORE or both. */
  ran: Uint8Array;
  ranBelow: Uint8Array;
}

/** Place numbers of each node, and whether the node is the outermost one of its place on its stack. */
export interface Placing {
  place: Int32Array;
  outermost: Uint8Array;
  places: { function: string; file: number; line: number }[];
}

export type Placings = Readonly<Record<"lines" | "functions" | "files", Placing>>;

/** Values that are made when somebody asks for them, once: a view needs few of the tables of 100,000 nodes. */
export function lazily<Name extends string, Value>(makers: Record<Name, () => Value>): Readonly<Record<Name, Value>> {
  const made = {} as Record<Name, Value>;
  for (const name of Object.keys(makers) as Name[]) {
    Object.defineProperty(made, name, {
      configurable: true,
      get() {
        const value = makers[name]();
        Object.defineProperty(made, name, { value });
        return value;
      },
    });
  }
  return made;
}

function placing(trace: Trace, part: "line" | "function" | "file"): Placing {
  const ids: Map<number | string, number>[] = trace.files.map(() => new Map());
  const places: Placing["places"] = [];
  const ofFrame = Int32Array.from(trace.frames, (frame) => {
    const known = ids[frame.file] as Map<number | string, number>;
    let id = known.get(frame[part]);
    if (id === undefined) {
      id = places.length;
      known.set(frame[part], id);
      places.push({
        function: part === "file" ? "" : frame.function,
        file: frame.file,
        line: part === "line" ? frame.line : 0,
      });
    }
    return id;
  });
  const size = trace.nodeFrame.length;
  const place = new Int32Array(size);
  const outermost = new Uint8Array(size);
  const depthOfPlace = new Int32Array(places.length);
  const open: number[] = [];
  for (let node = 0; node < size; node++) {
    const frame = trace.nodeFrame[node] as number;
    // What does not enclose the node is closed; the root, which is no call, encloses nothing.
    while (open.length >= (trace.nodeDepth[node] as number) && open.length > 0) {
      const closed = place[open.pop() as number] as number;
      (depthOfPlace[closed] as number)--;
    }
    const id = ofFrame[frame] as number;
    place[node] = id;
    outermost[node] = depthOfPlace[id] === 0 ? 1 : 0;
    (depthOfPlace[id] as number)++;
    open.push(node);
  }
  return { place, outermost, places };
}

export function placings(trace: Trace): Placings {
  return lazily({
    lines: () => placing(trace, "line"),
    functions: () => placing(trace, "function"),
    files: () => placing(trace, "file"),
  });
}

const TEN = METRICS.length;

function tableOf(
  placed: Placing,
  self: Float64Array[],
  total: Float64Array[],
  shown: Uint8Array,
  ran: Uint8Array,
): Place[] {
  const { place, outermost, places } = placed;
  // The numbers of all rows in two arrays: this runs over ten numbers of every node.
  const selves = new Float64Array(places.length * TEN);
  const totals = new Float64Array(places.length * TEN);
  const sides = new Uint8Array(places.length);
  const ownSides = new Uint8Array(places.length);
  for (let node = 0; node < place.length; node++) {
    (sides[place[node] as number] as number) |= shown[node] as number;
    (ownSides[place[node] as number] as number) |= ran[node] as number;
  }
  for (let node = 0; node < place.length; node++) {
    const at = (place[node] as number) * TEN;
    // The root is no call: only its own blocks are without a frame.
    const below = node === 0 ? self : outermost[node] ? total : null;
    for (let metric = 0; metric < TEN; metric++) {
      (selves[at + metric] as number) += (self[metric] as Float64Array)[node] as number;
      if (below) (totals[at + metric] as number) += (below[metric] as Float64Array)[node] as number;
    }
  }
  return places
    .map((one, id) => ({
      id,
      ...one,
      self: selves.subarray(id * TEN, id * TEN + TEN),
      total: totals.subarray(id * TEN, id * TEN + TEN),
      ownSides: ownSides[id] as number,
      sides: sides[id] as number,
    }))
    .filter((row) => row.sides > 0);
}

/** Sums the trace's cells that pass the filter. Nodes without any event below them do not appear in the tables. */
export function sum(trace: Trace, placed: Placings, filter: Filter): Sums {
  const size = trace.nodeFrame.length;
  const { cells } = trace;
  const self = METRICS.map(() => new Float64Array(size));
  const weight = trace.signed ? METRICS.map(() => new Float64Array(size)) : null;
  const ran = new Uint8Array(size);
  const byThread = new Float64Array(trace.threads.length * TEN);
  const byAllocator = new Float64Array(trace.allocators.length * TEN);
  const threadSides = new Uint8Array(trace.threads.length);
  const allocatorSides = new Uint8Array(trace.allocators.length);
  const all = new Float64Array(TEN);
  const passing: number[] = [];
  for (let cell = 0; cell < cells.node.length; cell++) {
    if (filter.thread >= 0 && cells.thread[cell] !== filter.thread) continue;
    if (filter.allocator >= 0 && cells.allocator[cell] !== filter.allocator) continue;
    if (filter.side !== "both" && (filter.side === "before") !== (cells.earlier[cell] === 1)) continue;
    passing.push(cell);
  }
  for (let metric = 0; metric < TEN; metric++) {
    const values = cells.values[metric] as Float64Array;
    const own = self[metric] as Float64Array;
    const before = weight ? new Float64Array(size) : null;
    for (const cell of passing) {
      const value = values[cell] as number;
      if (value === 0) continue;
      const node = cells.node[cell] as number;
      const thread = cells.thread[cell] as number;
      const allocator = cells.allocator[cell] as number;
      const side = cells.earlier[cell] ? BEFORE : NOW;
      (ran[node] as number) |= side;
      (threadSides[thread] as number) |= side;
      (allocatorSides[allocator] as number) |= side;
      (own[node] as number) += value;
      (all[metric] as number) += value;
      (byThread[thread * TEN + metric] as number) += value;
      (byAllocator[allocator * TEN + metric] as number) += value;
      if (before && cells.earlier[cell]) (before[node] as number) -= value;
    }
    const width = weight?.[metric];
    // What a node has now is its change and what it had.
    if (width && before)
      for (let node = 0; node < size; node++)
        width[node] = Math.max(before[node] as number, (own[node] as number) + (before[node] as number));
  }
  const total = self.map((own) => own.slice());
  const ranBelow = ran.slice();
  for (let node = size - 1; node > 0; node--)
    (ranBelow[trace.nodeParent[node] as number] as number) |= ranBelow[node] as number;
  for (const column of [...total, ...(weight ?? [])]) {
    for (let node = size - 1; node > 0; node--) {
      const value = column[node] as number;
      if (value !== 0) (column[trace.nodeParent[node] as number] as number) += value;
    }
  }
  // The root is a place of the tables only by its own blocks, those without a frame.
  const inTables = ranBelow.slice();
  inTables[0] = ran[0] ?? 0;
  const tables = lazily({
    lines: () => tableOf(placed.lines, self, total, inTables, ran),
    functions: () => tableOf(placed.functions, self, total, inTables, ran),
    files: () => tableOf(placed.files, self, total, inTables, ran),
    threads: () =>
      parts(
        trace.threads.map((thread) => thread.name),
        byThread,
        threadSides,
      ),
    allocators: () => parts(trace.allocators, byAllocator, allocatorSides),
  });
  const changes = new Float64Array(TEN);
  if (trace.signed) {
    for (const { self: row } of tables.lines)
      for (let metric = 0; metric < TEN; metric++) (changes[metric] as number) += Math.abs(row[metric] as number);
  }
  return { self, total, weight, changes, all, ran, ranBelow, tables };
}

/** Rows of threads or allocators: those with events. */
function parts(names: string[], summed: Float64Array, sides: Uint8Array): Place[] {
  return names
    .map((name, id) => {
      const numbers = summed.subarray(id * TEN, id * TEN + TEN);
      const here = sides[id] as number;
      return { id, function: name, file: -1, line: 0, self: numbers, total: numbers, ownSides: here, sides: here };
    })
    .filter((row) => row.sides > 0);
}
