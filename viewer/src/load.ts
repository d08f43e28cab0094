import {
  type Cells,
  type FileInfo,
  type Frame,
  KINDS,
  type Kind,
  METRICS,
  type Section,
  Source,
  type Trace,
} from "./model";

// Reads a trace as the page has it: docs/trace-format.md, but what counts up in steps (README.md). The file may be damaged or hostile: whatever does not fit is an error in plain
// words, never an exception from the depths.

export class LoadError extends Error {}

const KNOWN_VERSION = 1;

type Json = Record<string, unknown>;

function object(value: unknown, what: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new LoadError(`${what} is not an object`);
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

/** A column of numbers. Plain loops: 100,000 nodes have a million of them. */
function numbers(value: unknown, what: string, length?: number): Float64Array {
  const given = array(value, what);
  if (length !== undefined && given.length !== length)
    throw new LoadError(`${what} has ${given.length} rows, not ${length}`);
  const result = new Float64Array(given.length);
  for (let i = 0; i < given.length; i++) {
    const one = given[i];
    result[i] = typeof one === "number" && one - one === 0 ? one : number(one, what);
  }
  return result;
}

/** A column of rows of another table. */
function rows(value: unknown, what: string, limit: number, least = 0): Int32Array {
  const given = array(value, what);
  const result = new Int32Array(given.length);
  for (let i = 0; i < given.length; i++) {
    const row = given[i] as number;
    result[i] = row;
    if (result[i] !== row || row < least || row >= limit)
      throw new LoadError(`${what}: there is no row ${String(row).slice(0, 30)}`);
  }
  return result;
}

/** A column of rows, each as a step from the one before. */
function steps(value: unknown, what: string, limit: number): Int32Array {
  const given = array(value, what);
  const result = new Int32Array(given.length);
  let row = 0;
  for (let i = 0; i < given.length; i++) {
    row += given[i] as number;
    result[i] = row;
    if (result[i] !== row || row < 0 || row >= limit)
      throw new LoadError(`${what}: there is no row ${String(row).slice(0, 30)}`);
  }
  return result;
}

function tenNumbers(table: Json, what: string, length: number): Float64Array[] {
  return METRICS.map(({ key }) => numbers(table[key], `${what}.${key}`, length));
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
function preorder(parents: Int32Array, frames: Int32Array): Nodes {
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

/** A column of positions in `strings`. */
function strings(value: unknown, what: string, all: string[]): string[] {
  return Array.from(rows(value, what, all.length), (row) => all[row] as string);
}

/** Frame 0 is the root's: blocks without a Python frame. */
function readFrames(json: Json, all: string[], files: FileInfo[]): Frame[] {
  const table = object(json.functions, "functions");
  const names = strings(table.name, "functions.name", all);
  const fileOf = rows(table.file, "functions.file", files.length);
  const frames = object(json.frames, "frames");
  const functions = rows(frames.function, "frames.function", Math.min(names.length, fileOf.length));
  const lines = numbers(frames.line, "frames.line", functions.length);
  let native = files.findIndex((file) => file.name === "<native>");
  if (native < 0) native = files.push({ name: "<native>", kind: "native" }) - 1;
  return [
    { function: "<native>", file: native, line: 0 },
    ...Array.from(functions, (row, frame) => ({
      function: names[row] as string,
      file: fileOf[row] as number,
      line: lines[frame] as number,
    })),
  ];
}

function readCells(json: Json, moved: Int32Array, threads: number, allocators: number, signed: boolean): Cells {
  const table = object(json.rows, "rows");
  const node = steps(table.node, "rows.node", moved.length);
  for (let cell = 0; cell < node.length; cell++) node[cell] = moved[node[cell] as number] as number;
  const thread = rows(table.thread, "rows.thread", threads);
  const allocator = rows(table.allocator, "rows.allocator", allocators);
  const earlier = signed ? Uint8Array.from(rows(table.earlier, "rows.earlier", 2)) : new Uint8Array(node.length);
  if (new Set([node.length, thread.length, allocator.length, earlier.length]).size > 1)
    throw new LoadError("rows: columns of different length");
  return { node, thread, allocator, earlier, values: tenNumbers(table, "rows", node.length) };
}

/** File rows by name; what is only listed or only has source becomes a file too. */
class FileRows {
  private readonly rows: Map<string, number>;

  constructor(private readonly files: FileInfo[]) {
    this.rows = new Map(files.map((file, row) => [file.name, row]));
  }

  of(name: string): number {
    let row = this.rows.get(name);
    if (row === undefined) {
      row = this.files.push({ name, kind: "yours" }) - 1;
      this.rows.set(name, row);
    }
    return row;
  }
}

function readSections(table: Json, all: string[], files: FileRows): Section[] {
  const names = strings(table.file, "listing.file", all);
  const first = numbers(table.first_line, "listing.first_line", names.length);
  const last = numbers(table.last_line, "listing.last_line", names.length);
  const notes = texts(table.note, "listing.note");
  return names.map((name, row) => ({
    file: files.of(name),
    first: first[row] as number,
    last: last[row] as number,
    note: notes[row] ?? "",
  }));
}

/** A newline at the end begins no line. */
function linesOf(text: string): string[] {
  return text.replace(/\n$/, "").split("\n");
}

function readSources(table: Json, all: string[], files: FileRows, earlier: boolean): Map<number, Source> {
  const names = strings(table.file, "sources.file", all);
  const first = numbers(table.first_line, "sources.first_line", names.length);
  const text = texts(table.text, "sources.text");
  const flags =
    table.earlier === undefined
      ? new Float64Array(names.length)
      : numbers(table.earlier, "sources.earlier", names.length);
  const pieces = new Map<number, { first: number; lines: string[] }[]>();
  names.forEach((name, row) => {
    if ((flags[row] === 1) !== earlier) return;
    const file = files.of(name);
    pieces.set(file, [...(pieces.get(file) ?? []), { first: first[row] as number, lines: linesOf(text[row] ?? "") }]);
  });
  return new Map([...pieces].map(([file, parts]) => [file, new Source(parts.sort((a, b) => a.first - b.first))]));
}

export function load(json: unknown): Trace {
  const root = object(json, "The file");
  if (root.format !== "malloc_tracer page") throw new LoadError("The file is not a trace of malloc_tracer");
  const version = number(root.version, "version");
  if (version > KNOWN_VERSION) {
    throw new LoadError(
      `The trace has format version ${version}; this page reads up to version ${KNOWN_VERSION}. Use a newer malloc_tracer`,
    );
  }
  const all = texts(root.strings, "strings");
  const table = (name: string) => object(root[name], name);
  const kinds = texts(table("files").kind, "files.kind");
  const files: FileInfo[] = strings(table("files").name, "files.name", all).map((name, row) => ({
    name,
    kind: KINDS.includes(kinds[row] as Kind) ? (kinds[row] as Kind) : "library",
  }));
  const frames = readFrames(root, all, files);
  const fileRows = new FileRows(files);
  const parents = steps(table("nodes").parent, "nodes.parent", 2 ** 31);
  const nodeFrames = rows(table("nodes").frame, "nodes.frame", frames.length - 1, -1);
  if (parents.length === 0 || parents.length !== nodeFrames.length)
    throw new LoadError("nodes has no rows, or columns of different length");
  const { moved, ...tree } = preorder(parents, nodeFrames);
  const threads = strings(table("threads").name, "threads.name", all);
  const ids = array(table("threads").id, "threads.id");
  const allocators = strings(table("allocators").name, "allocators.name", all);
  const signed = root.difference === true;
  const ns = numbers(table("timeline").ns, "timeline.ns");
  const lost = strings(table("lost").reason, "lost.reason", all);
  const lostCounts = numbers(table("lost").count, "lost.count", lost.length);
  const blockSizes = numbers(root.block_sizes ?? [], "block_sizes");
  if (blockSizes.length > 65) throw new LoadError("block_sizes has more entries than a size has bits");
  return {
    name: text(root.name, "name"),
    writer: text(root.writer ?? "", "writer"),
    pythonVersion: text(root.python_version, "python_version"),
    command: texts(root.command, "command")
      .map((part) => (/[\s"']/.test(part) || part === "" ? JSON.stringify(part) : part))
      .join(" "),
    timeMs: number(root.time_ms, "time_ms"),
    durationNs: number(root.duration_ns, "duration_ns"),
    signed,
    totals: METRICS.map(({ key }) => number(table("sum")[key], `sum.${key}`)),
    sections: readSections(table("listing"), all, fileRows),
    emptyNote: text(table("listing").empty_note, "listing.empty_note"),
    sources: readSources(table("sources"), all, fileRows, false),
    earlierSources: readSources(table("sources"), all, fileRows, true),
    files,
    frames,
    ...tree,
    cells: readCells(root, moved, threads.length, allocators.length, signed),
    threads: threads.map((name, row) => ({ name, id: String(ids[row] ?? "").slice(0, 20) })),
    allocators,
    timeline: { ns, bytes: numbers(table("timeline").live_bytes, "timeline.live_bytes", ns.length) },
    blockSizes,
    lost: lost.map((reason, row) => [reason, lostCounts[row] as number]),
  };
}
