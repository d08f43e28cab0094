import { type Cells, type FileInfo, type Frame, KINDS, type Kind, METRICS, type Section, type Source, type Trace } from "./model";

// Reads a trace as docs/trace-format.md describes it. The file may be damaged or hostile: whatever does not fit is an error in plain
// words, never an exception from the depths.

export class LoadError extends Error {}

const KNOWN_VERSION = 1;

type Json = Record<string, unknown>;

function object(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new LoadError(`${what} is not an object`);
  return value as Json;
}

function array(value: unknown, what: string): unknown[] {
  if (!Array.isArray(value)) throw new LoadError(`${what} is not an array`);
  return value;
}

function text(value: unknown, what: string): string {
  if (typeof value !== "string") throw new LoadError(`${what} is not text`);
  return value;
}

function texts(value: unknown, what: string): string[] {
  return array(value, what).map((one) => text(one, what));
}

function number(value: unknown, what: string): number {
  // Whole numbers beyond 2^53 may be written as text.
  const result = typeof value === "string" && /^-?\d{1,20}$/.test(value) ? Number(value) : value;
  if (typeof result !== "number" || !Number.isFinite(result)) throw new LoadError(`${what} is not a number`);
  return result;
}

function numbers(value: unknown, what: string, length?: number): number[] {
  const result = array(value, what);
  if (length !== undefined && result.length !== length) throw new LoadError(`${what} has ${result.length} rows, not ${length}`);
  for (let i = 0; i < result.length; i++) if (!Number.isFinite(result[i])) result[i] = number(result[i], what);
  return result as number[];
}

/** Numbers that are rows of another table. */
function rows(value: unknown, what: string, limit: number, least = 0): number[] {
  const result = numbers(value, what);
  for (const row of result) {
    if (!Number.isInteger(row) || row < least || row >= limit) throw new LoadError(`${what}: there is no row ${row}`);
  }
  return result;
}

function tenNumbers(table: Json, what: string, length: number): number[][] {
  return METRICS.map(({ key }) => numbers(table[key], `${what}.${key}`, length));
}

function rowOf(columns: number[][], row: number): number[] {
  return columns.map((column) => column[row] as number);
}

interface Nodes {
  nodeFrame: Int32Array;
  nodeParent: Int32Array;
  nodeEnd: Int32Array;
  nodeDepth: Int32Array;
  /** Where each row of the file went. */
  moved: Int32Array;
}

/** Puts the nodes into preorder. Parents stand before their children in the file. */
function preorder(parents: number[], frames: number[]): Nodes {
  const size = parents.length;
  const subtree = new Int32Array(size).fill(1);
  for (let row = size - 1; row > 0; row--) {
    const parent = parents[row] as number;
    if (parent < 0 || parent >= row) throw new LoadError(`nodes.parent: row ${row} stands before its parent ${parent}`);
    (subtree[parent] as number) += subtree[row] as number;
  }
  const moved = new Int32Array(size);
  const nextFree = new Int32Array(size);
  const nodes: Nodes = {
    nodeFrame: new Int32Array(size),
    nodeParent: new Int32Array(size),
    nodeEnd: new Int32Array(size),
    nodeDepth: new Int32Array(size),
    moved,
  };
  nextFree[0] = 1;
  nodes.nodeEnd[0] = size;
  nodes.nodeParent[0] = -1;
  for (let row = 1; row < size; row++) {
    const parent = parents[row] as number;
    const place = nextFree[parent] as number;
    (nextFree[parent] as number) += subtree[row] as number;
    nextFree[row] = place + 1;
    moved[row] = place;
    nodes.nodeParent[place] = moved[parent] as number;
    nodes.nodeDepth[place] = (nodes.nodeDepth[moved[parent] as number] as number) + 1;
    nodes.nodeEnd[place] = place + (subtree[row] as number);
    nodes.nodeFrame[place] = (frames[row] as number) + 1;
  }
  return nodes;
}

function readFiles(json: Json): FileInfo[] {
  const table = object(json.files, "files");
  const names = texts(table.name, "files.name");
  const kinds = texts(table.kind, "files.kind");
  return names.map((name, row) => ({ name, kind: KINDS.includes(kinds[row] as Kind) ? (kinds[row] as Kind) : "library" }));
}

/** Frame 0 is the root's: blocks without a Python frame. */
function readFrames(json: Json, files: FileInfo[]): Frame[] {
  const table = object(json.functions, "functions");
  const names = texts(table.name, "functions.name");
  const fileOf = rows(table.file, "functions.file", files.length);
  const frames = object(json.frames, "frames");
  const functions = rows(frames.function, "frames.function", names.length);
  const lines = numbers(frames.line, "frames.line", functions.length);
  let native = files.findIndex((file) => file.name === "<native>");
  if (native < 0) native = files.push({ name: "<native>", kind: "native" }) - 1;
  return [
    { function: "<native>", file: native, line: 0 },
    ...functions.map((row, frame) => ({
      function: names[row] as string,
      file: fileOf[row] as number,
      line: lines[frame] as number,
    })),
  ];
}

function readCells(json: Json, moved: Int32Array, threads: number, allocators: number): Cells {
  const apart = json.cells !== undefined;
  const table = object(apart ? json.cells : json.nodes, apart ? "cells" : "nodes");
  const size = apart ? array(table.node, "cells.node").length : moved.length;
  const columns = tenNumbers(table, apart ? "cells" : "nodes", size);
  return {
    node: apart ? Int32Array.from(rows(table.node, "cells.node", moved.length), (row) => moved[row] as number) : moved,
    thread: apart ? Int32Array.from(rows(table.thread, "cells.thread", threads)) : new Int32Array(size).fill(-1),
    allocator: apart ? Int32Array.from(rows(table.allocator, "cells.allocator", allocators)) : new Int32Array(size).fill(-1),
    values: columns.map((column) => Float64Array.from(column)),
  };
}

function readSections(json: Json, fileIndex: Map<string, number>): Section[] {
  const listing = object(json.listing ?? { sections: [] }, "listing");
  return array(listing.sections ?? [], "listing.sections").flatMap((one) => {
    const section = object(one, "a section of the listing");
    const file = fileIndex.get(text(section.file, "a section's file"));
    if (file === undefined) return [];
    return [{ file, first: number(section.first_line, "first_line"), last: number(section.last_line, "last_line") }];
  });
}

/** The source of the files, and of the listed parts of files whose whole source is not there. */
function readSources(json: Json, fileIndex: Map<string, number>): Map<number, Source> {
  const sources = new Map<number, Source>();
  for (const [name, lines] of Object.entries(object(json.sources ?? {}, "sources"))) {
    const file = fileIndex.get(name);
    if (file !== undefined) sources.set(file, { first: 1, lines: texts(lines, "a source") });
  }
  for (const one of array(object(json.listing ?? {}, "listing").sections ?? [], "listing.sections")) {
    const section = object(one, "a section of the listing");
    const file = fileIndex.get(text(section.file, "a section's file"));
    if (file === undefined || section.text === undefined || sources.has(file)) continue;
    sources.set(file, { first: number(section.first_line, "first_line"), lines: texts(section.text, "a section's text") });
  }
  return sources;
}

export function load(json: unknown): Trace {
  const root = object(json, "The file");
  if (root.format !== "malloc_tracer trace") throw new LoadError("The file is not a trace of malloc_tracer");
  const version = number(root.version, "version");
  if (version !== KNOWN_VERSION) {
    throw new LoadError(`The trace has format version ${version}; this page reads version ${KNOWN_VERSION}. Use a newer malloc_tracer`);
  }
  const files = readFiles(root);
  const frames = readFrames(root, files);
  // A file that is only listed (its function never ran) is a file too.
  const fileIndex = new Map(files.map((file, row) => [file.name, row]));
  for (const one of array(object(root.listing ?? {}, "listing").sections ?? [], "listing.sections")) {
    const name = text(object(one, "a section of the listing").file, "a section's file");
    if (!fileIndex.has(name)) fileIndex.set(name, files.push({ name, kind: "yours" }) - 1);
  }
  const nodes = object(root.nodes, "nodes");
  const parents = numbers(nodes.parent, "nodes.parent");
  const nodeFrames = rows(nodes.frame, "nodes.frame", frames.length - 1, -1);
  if (parents.length === 0 || parents.length !== nodeFrames.length) throw new LoadError("nodes has no rows, or not equally many");
  const { moved, ...tree } = preorder(parents, nodeFrames);
  const threadTable = object(root.threads, "threads");
  const threadNames = texts(threadTable.name, "threads.name");
  const threadIds = array(threadTable.id, "threads.id").map(String);
  const threadNumbers = tenNumbers(threadTable, "threads", threadNames.length);
  const allocatorTable = object(root.allocators, "allocators");
  const allocatorNames = texts(allocatorTable.name, "allocators.name");
  const allocatorNumbers = tenNumbers(allocatorTable, "allocators", allocatorNames.length);
  const totals = object(root.totals, "totals");
  const timeline = object(root.timeline ?? { ns: [], live_bytes: [] }, "timeline");
  const ns = numbers(timeline.ns, "timeline.ns");
  const histogram = object(root.histogram ?? { below: [], blocks: [] }, "histogram");
  const below = numbers(histogram.below, "histogram.below");
  const blocks = numbers(histogram.blocks, "histogram.blocks", below.length);
  return {
    name: text(root.name, "name"),
    pythonVersion: text(root.python_version ?? "", "python_version"),
    command: text(root.command ?? "", "command"),
    time: number(root.time ?? 0, "time"),
    durationNs: number(root.duration_ns, "duration_ns"),
    signed: root.is_difference === true,
    totals: METRICS.map(({ key }) => number(totals[key], `totals.${key}`)),
    files,
    frames,
    ...tree,
    cells: readCells(root, moved, threadNames.length, allocatorNames.length),
    threads: threadNames.map((name, row) => ({ name, id: threadIds[row] ?? "", self: rowOf(threadNumbers, row) })),
    allocators: allocatorNames.map((name, row) => ({ name, self: rowOf(allocatorNumbers, row) })),
    hasCells: root.cells !== undefined,
    sections: readSections(root, fileIndex),
    sources: readSources(root, fileIndex),
    timeline: { ns, bytes: numbers(timeline.live_bytes, "timeline.live_bytes", ns.length) },
    histogram: below.map((limit, row) => ({ below: limit, blocks: blocks[row] as number })),
    lost: Object.entries(object(root.lost ?? {}, "lost")).map(([what, times]) => [what, number(times, "lost")]),
  };
}
