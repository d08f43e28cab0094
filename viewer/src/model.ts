// What every view reads: one trace in typed arrays. Only load.ts knows how it is written in the file.

export type Unit = "bytes" | "blocks";

export interface Metric {
  key: string;
  label: string;
  unit: Unit;
  help: string;
}

/** The ten numbers of every place; their order is that of all arrays of numbers. */
export const METRICS: readonly Metric[] = [
  { key: "live_bytes", label: "live", unit: "bytes", help: "Bytes not yet freed when the scope ended." },
  { key: "live_count", label: "live blocks", unit: "blocks", help: "Blocks not yet freed when the scope ended." },
  { key: "peak_bytes", label: "peak", unit: "bytes", help: "Share of the moment when the scope's live bytes were highest." },
  { key: "peak_count", label: "peak blocks", unit: "blocks", help: "Blocks alive at the moment of the peak." },
  { key: "allocated_bytes", label: "allocated", unit: "bytes", help: "All bytes ever allocated in the scope." },
  { key: "allocated_count", label: "count", unit: "blocks", help: "All blocks ever allocated in the scope." },
  { key: "freed_bytes", label: "freed", unit: "bytes", help: "Bytes freed again, charged to the place that allocated them." },
  { key: "freed_count", label: "freed blocks", unit: "blocks", help: "Blocks freed again, charged to the place that allocated them." },
  { key: "temporary_count", label: "temporary", unit: "blocks", help: "Blocks freed by the very next event of their thread." },
  { key: "reallocated_count", label: "reallocated", unit: "blocks", help: "Blocks moved or resized, charged to the line that did it." },
];
export const LIVE = 0;
export const PEAK = 2;
export const ALLOCATED = 4;
export const COUNT = 5;
export const TEMPORARY = 8;

export function metricIndex(key: string): number {
  return METRICS.findIndex((metric) => metric.key === key);
}

export type Kind = "yours" | "library" | "native";
export const KINDS: readonly Kind[] = ["yours", "library", "native"];

export interface FileInfo {
  name: string;
  kind: Kind;
}

export interface Frame {
  function: string;
  file: number;
  line: number;
}

export interface Thread {
  name: string;
  id: string;
  self: number[];
}

export interface Allocator {
  name: string;
  self: number[];
}

/** The numbers of the tree: one entry per node, or per node, thread and allocator where the trace tells them apart. */
export interface Cells {
  node: Int32Array;
  /** -1: not told apart. */
  thread: Int32Array;
  allocator: Int32Array;
  /** By metric. */
  values: Float64Array[];
}

/** A piece of a file that the text report lists: the traced function. */
export interface Section {
  file: number;
  first: number;
  last: number;
}

/** Text of a file, or the part of it that the trace has. */
export interface Source {
  /** Number of the first of `lines`. */
  first: number;
  lines: string[];
}

export interface Trace {
  name: string;
  pythonVersion: string;
  command: string;
  /** Seconds since 1970. */
  time: number;
  durationNs: number;
  /** Every number is a change, now minus before. */
  signed: boolean;
  totals: number[];
  files: FileInfo[];
  frames: Frame[];
  /** Nodes in preorder: a node's descendants are those before `nodeEnd[node]`; node 0 is the root, whose frame is frame 0, "<native>". */
  nodeFrame: Int32Array;
  nodeParent: Int32Array;
  nodeEnd: Int32Array;
  nodeDepth: Int32Array;
  cells: Cells;
  threads: Thread[];
  allocators: Allocator[];
  hasCells: boolean;
  sections: Section[];
  sources: Map<number, Source>;
  timeline: { ns: number[]; bytes: number[] };
  /** Blocks by size: those of less than `below` bytes and not in an earlier row. */
  histogram: { below: number; blocks: number }[];
  lost: [string, number][];
}
