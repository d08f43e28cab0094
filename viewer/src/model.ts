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
  {
    key: "peak_bytes",
    label: "peak",
    unit: "bytes",
    help: "Share of the moment when the scope's live bytes were highest.",
  },
  { key: "peak_count", label: "peak blocks", unit: "blocks", help: "Blocks alive at the moment of the peak." },
  { key: "allocated_bytes", label: "allocated", unit: "bytes", help: "All bytes ever allocated in the scope." },
  { key: "allocated_count", label: "count", unit: "blocks", help: "All blocks ever allocated in the scope." },
  {
    key: "freed_bytes",
    label: "freed",
    unit: "bytes",
    help: "Bytes freed again, charged to the place that allocated them.",
  },
  {
    key: "freed_count",
    label: "freed blocks",
    unit: "blocks",
    help: "Blocks freed again, charged to the place that allocated them.",
  },
  {
    key: "temporary_count",
    label: "temporary",
    unit: "blocks",
    help: "Blocks freed by the very next event of their thread.",
  },
  {
    key: "reallocated_count",
    label: "reallocated",
    unit: "blocks",
    help: "Blocks moved or resized, charged to the line that did it.",
  },
];
export const LIVE = 0;
export const PEAK = 2;
export const ALLOCATED = 4;
export const COUNT = 5;
export const TEMPORARY = 8;
export const REALLOCATED = 9;

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
}

/** The numbers of the tree: what one node allocated itself on one thread from one allocator. */
export interface Cells {
  node: Int32Array;
  thread: Int32Array;
  allocator: Int32Array;
  /** In a difference 1 for the numbers of the earlier trace, which are negated. */
  earlier: Uint8Array;
  /** By metric. */
  values: Float64Array[];
}

/** A stretch of a file that the text report lists: the traced function. */
export interface Section {
  file: number;
  first: number;
  last: number;
  /** Why there is no source, else empty. */
  note: string;
}

/** The text of a file, or the parts of it that the trace has, in order. */
export class Source {
  constructor(readonly pieces: readonly { first: number; lines: readonly string[] }[]) {}

  line(number: number): string | undefined {
    for (const { first, lines } of this.pieces) {
      if (number >= first && number < first + lines.length) return lines[number - first];
    }
    return undefined;
  }
}

export interface Trace {
  name: string;
  writer: string;
  pythonVersion: string;
  command: string;
  /** Milliseconds since 1970; 0: not known. */
  timeMs: number;
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
  allocators: string[];
  sections: Section[];
  emptyNote: string;
  /** By file. */
  sources: Map<number, Source>;
  earlierSources: Map<number, Source>;
  timeline: { ns: Float64Array; bytes: Float64Array };
  /** Blocks allocated by the bit width of their size: entry k counts sizes from 2^(k-1) to below 2^k; empty if the trace has none. */
  blockSizes: Float64Array;
  lost: [string, number][];
}

/** The text of a line. In a difference a negative number is a line that only the earlier source has. */
export function lineText(trace: Trace, file: number, number: number): string | undefined {
  return number < 0 ? trace.earlierSources.get(file)?.line(-number) : trace.sources.get(file)?.line(number);
}

/** A line's number as it is shown. */
export function lineName(number: number): string {
  return number < 0 ? `${-number} before` : String(number);
}
