import { computed, signal } from "@preact/signals";
import { LIVE, METRICS, metricIndex, type Trace } from "./model";
import { count, signed, size } from "./numbers";
import { BEFORE, lazily, NOW, placings, sum, type Table } from "./sums";
import { type Item, Tree } from "./tree";

// What the user has chosen, and what follows from it. One trace per page, so the state is the module's.

export type View = "source" | "flame" | "tree" | "tables" | "summary";
export const VIEWS: readonly View[] = ["source", "flame", "tree", "tables", "summary"];
export type Colouring = "kind" | "file";

let loaded: Trace | null = null;
let placed: ReturnType<typeof placings> | null = null;

export function setTrace(value: Trace): void {
  loaded = value;
  placed = placings(value);
  file.value = firstFile(value);
  // In a difference rows that have not changed are behind a chip at first.
  if (value.signed) threshold.value = 1;
}

export function trace(): Trace {
  if (!loaded) throw new Error("no trace yet");
  return loaded;
}

function firstFile(value: Trace): number {
  const listed = value.sections[0];
  if (listed) return listed.file;
  const rows = sums.value.tables.files;
  const best = rows
    .filter((row) => value.files[row.file]?.kind === "yours")
    .sort((a, b) => (b.total[LIVE] as number) - (a.total[LIVE] as number));
  return (best[0] ?? rows[0])?.file ?? 0;
}

export const view = signal<View>("source");
export const file = signal(0);
/** The selected line of the file; 0: none. */
export const line = signal(0);
export const metric = signal(LIVE);
export const own = signal(true);
export const thread = signal(-1);
export const allocator = signal(-1);
export const query = signal("");
export const table = signal<Table>("lines");
/** Column of the sort: a metric's key, or "place"; and whether the smallest comes first. */
export const sortKey = signal("");
export const ascending = signal(false);
export const inverted = signal(false);
export const folded = signal(true);
export const colouring = signal<Colouring>("kind");
/** Whether the root of the flame graph is at the bottom. */
export const upright = signal(false);
/** Hash of the path that the flame graph is zoomed to; 0: everything. */
export const zoom = signal(0);
/** Changes smaller than this are not shown. */
export const threshold = signal(0);
export const swapped = signal(false);
export const columns = signal<readonly number[]>([0, 2, 4, 5, 8]);
export const notice = signal("");
/** What a screen reader is told; one polite region. */
export const spoken = signal("");
export const helpOpen = signal(false);
export const keysOff = signal(false);
export const printing = signal(false);

function summed(side: "both" | "now" | "before", turned: boolean) {
  const value = sum(trace(), placed ?? placings(trace()), { thread: thread.value, allocator: allocator.value, side });
  if (!turned) return value;
  const negate = (column: Float64Array) => column.map((one) => (one === 0 ? 0 : -one));
  const negated = (name: Table) => () =>
    value.tables[name].map((row) => ({ ...row, self: negate(row.self), total: negate(row.total) }));
  const tables = lazily({
    lines: negated("lines"),
    functions: negated("functions"),
    files: negated("files"),
    threads: negated("threads"),
    allocators: negated("allocators"),
  });
  return { ...value, self: value.self.map(negate), total: value.total.map(negate), all: negate(value.all), tables };
}

export const sums = computed(() => summed("both", swapped.value));

/** In a difference: what there is now, or with the sides swapped, what there was before. */
export const sumsNow = computed(() => summed(swapped.value ? "before" : "now", swapped.value));

export const tree = computed(
  () => new Tree(trace(), sums.value, { metric: metric.value, inverted: inverted.value, folded: folded.value }),
);

export const zoomItem = computed<Item>(() => {
  if (zoom.value === 0) return tree.value.root;
  return tree.value.find(zoom.value) ?? tree.value.root;
});

/** A number of the chosen unit as text, with its sign in a comparison. */
export function shown(index: number, value: number): string {
  const text = METRICS[index]?.unit === "bytes" ? size : count;
  return trace().signed ? signed(value, text) : text(value);
}

/** The same without rounding. */
export function exact(index: number, value: number): string {
  const unit = METRICS[index]?.unit === "bytes" ? " B" : "";
  return (trace().signed ? signed(value, count) : count(value)) + unit;
}

/** A number of one side of a difference, which has no sign. */
export function plain(index: number, value: number): string {
  return METRICS[index]?.unit === "bytes" ? size(value) : count(value);
}

/** The word beside a change: one side may not have the place at all. */
export function fate(sides: number, value: number): string {
  const only: Record<number, string> = swapped.value
    ? { [NOW]: "gone", [BEFORE]: "new" }
    : { [NOW]: "new", [BEFORE]: "gone" };
  return only[sides] ?? (value > 0 ? "grown" : value < 0 ? "shrunk" : "same");
}

export function goToLine(fileIndex: number, number: number): void {
  file.value = fileIndex;
  line.value = number;
  view.value = "source";
}

export function filtersActive(): boolean {
  return thread.value >= 0 || allocator.value >= 0;
}

export function clearFilters(): void {
  thread.value = -1;
  allocator.value = -1;
  query.value = "";
  threshold.value = 0;
}

export { metricIndex };

export type Theme = "system" | "light" | "dark";
export const theme = signal<Theme>("system");
const systemDark = signal(false);
/** The style sheet's narrowest layout. */
export const narrow = signal(false);
/** Canvases are drawn anew when this changes. */
export const darkNow = computed(
  () => !printing.value && (theme.value === "dark" || (theme.value === "system" && systemDark.value)),
);

/** Follows what the style sheet asks the window and the system as well. */
export function followMedia(): void {
  for (const [media, target] of [
    ["(prefers-color-scheme: dark)", systemDark],
    ["(max-width: 600px)", narrow],
  ] as const) {
    const query = matchMedia(media);
    target.value = query.matches;
    query.addEventListener("change", () => {
      target.value = query.matches;
    });
  }
}
