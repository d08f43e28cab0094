import { METRICS, type Trace } from "./model";
import type { Sums } from "./sums";
import { fnv1a } from "./text";

// The call tree as the flame graph and the tree view walk it: from callers to callees, or inverted from the innermost frames to their
// callers, with consecutive equal frames folded if asked. Items are made when somebody looks at their parent, so that 100,000 nodes cost
// nothing until they are wide enough to be seen.

export interface Item {
  frame: number; // -1: the root of everything
  parent: Item | null;
  depth: number;
  /** How many equal frames in a row stand behind this item. */
  repeat: number;
  /** Nodes of the trace: outermost ones of this item; inverted: the innermost ones whose blocks it counts. */
  nodes: number[];
  /** Inverted: for each of `nodes`, the caller that this item shows. */
  callers: number[] | null;
  width: number;
  children: Item[] | null;
  /** Hash of the frames from the root, for the address. */
  hash: number;
}

const MOST_WALKED = 300_000;

export interface TreeOptions {
  metric: number;
  inverted: boolean;
  folded: boolean;
}

export class Tree {
  readonly root: Item;
  private readonly self: Float64Array;
  private readonly widths: Float64Array;

  constructor(
    private readonly trace: Trace,
    private readonly sums: Sums,
    readonly options: TreeOptions,
  ) {
    this.self = sums.self[options.metric] as Float64Array;
    this.widths = (sums.weight ?? sums.total)[options.metric] as Float64Array;
    const nodes = options.inverted ? this.owners() : [0];
    this.root = {
      frame: -1,
      parent: null,
      depth: 0,
      repeat: 1,
      nodes,
      callers: options.inverted ? nodes : null,
      width: this.widths[0] ?? 0,
      children: null,
      hash: fnv1a(""),
    };
  }

  private owners(): number[] {
    const found: number[] = [];
    for (let node = 0; node < this.sums.ran.length; node++) if (this.sums.ran[node]) found.push(node);
    return found;
  }

  private ownWidth(node: number): number {
    if (!this.sums.weight) return this.self[node] ?? 0;
    let width = this.widths[node] ?? 0;
    for (const child of this.below(node)) width -= this.widths[child] ?? 0;
    return width;
  }

  private *below(node: number): Generator<number> {
    const end = this.trace.nodeEnd[node] as number;
    for (let child = node + 1; child < end; child = this.trace.nodeEnd[child] as number) yield child;
  }

  /** Widest first; all that have any event, so some may have no width in this metric. */
  children(item: Item): Item[] {
    item.children ??= this.options.inverted ? this.callersOf(item) : this.calleesOf(item);
    return item.children;
  }

  /** The items below the root, each before its children, which follow if it is open. The inverted tree of a large trace has no end. */
  *items(isOpen: (item: Item) => boolean): Generator<Item> {
    const left = [...this.children(this.root)].reverse();
    for (let walked = 0; left.length > 0 && walked < MOST_WALKED; walked++) {
      const item = left.pop() as Item;
      yield item;
      if (isOpen(item)) left.push(...[...this.children(item)].reverse());
    }
  }

  private calleesOf(item: Item): Item[] {
    const groups = new Map<number, { nodes: number[]; width: number }>();
    const left = [...item.nodes];
    let repeat = 1;
    while (left.length > 0) {
      const next: number[] = [];
      for (const node of left) {
        for (const child of this.below(node)) {
          const frame = this.trace.nodeFrame[child] as number;
          if (this.options.folded && frame === item.frame) {
            next.push(child);
            continue;
          }
          if (!this.sums.ranBelow[child]) continue;
          const width = this.widths[child] ?? 0;
          const group = groups.get(frame);
          if (group) {
            group.nodes.push(child);
            group.width += width;
          } else groups.set(frame, { nodes: [child], width });
        }
      }
      if (next.length > 0) repeat++;
      left.length = 0;
      for (const node of next) left.push(node);
    }
    item.repeat = repeat;
    return this.sorted(item, groups, false);
  }

  private callersOf(item: Item): Item[] {
    const groups = new Map<number, { nodes: number[]; callers: number[]; width: number }>();
    let repeat = 1;
    item.nodes.forEach((node, index) => {
      const from = item.callers?.[index] as number;
      let caller = item.parent === null ? from : (this.trace.nodeParent[from] as number);
      let run = 1;
      if (item.parent !== null && from === 0) return;
      while (
        this.options.folded &&
        item.parent !== null &&
        caller !== 0 &&
        this.trace.nodeFrame[caller] === item.frame
      ) {
        caller = this.trace.nodeParent[caller] as number;
        run++;
      }
      repeat = Math.max(repeat, run);
      if (caller === 0 && item.parent !== null) return;
      const frame = this.trace.nodeFrame[caller] as number;
      const group = groups.get(frame) ?? { nodes: [], callers: [], width: 0 };
      group.nodes.push(node);
      group.callers.push(caller);
      group.width += this.ownWidth(node);
      groups.set(frame, group);
    });
    item.repeat = repeat;
    return this.sorted(item, groups, true);
  }

  private sorted(
    parent: Item,
    groups: Map<number, { nodes: number[]; callers?: number[]; width: number }>,
    inverted: boolean,
  ): Item[] {
    const items = [...groups].map(([frame, group]) => ({
      frame,
      parent,
      depth: parent.depth + 1,
      repeat: 1,
      nodes: group.nodes,
      callers: inverted ? (group.callers ?? null) : null,
      width: group.width,
      children: null,
      hash: fnv1a(this.frameKey(frame), parent.hash),
    }));
    return items.sort((a, b) => b.width - a.width || a.frame - b.frame);
  }

  private frameKey(index: number): string {
    const frame = this.trace.frames[index];
    return frame ? `\n${frame.function}\t${this.trace.files[frame.file]?.name}:${frame.line}` : "\n";
  }

  /** The item's ten numbers. */
  numbers(item: Item, own: boolean): Float64Array {
    const result = new Float64Array(METRICS.length);
    const inverted = item.callers !== null;
    const nodes = own && !inverted && this.options.folded ? this.chain(item) : item.nodes;
    for (let metric = 0; metric < result.length; metric++) {
      const column = (own || inverted ? this.sums.self : this.sums.total)[metric] as Float64Array;
      let total = 0;
      for (const node of nodes) total += column[node] ?? 0;
      result[metric] = total;
    }
    // Inverted, only the innermost frames have blocks of their own.
    return own && inverted && item.depth > 1 ? new Float64Array(METRICS.length) : result;
  }

  /** All nodes behind a folded item. */
  private chain(item: Item): number[] {
    const all = [...item.nodes];
    for (let i = 0; i < all.length; i++) {
      for (const child of this.below(all[i] as number)) if (this.trace.nodeFrame[child] === item.frame) all.push(child);
    }
    return all;
  }

  /** The item whose path of frames has this hash; looks only where the path can go on, widest first, and gives up at `limit` items. */
  find(hash: number, limit = 200_000): Item | null {
    const queue: Item[] = [this.root];
    for (let i = 0; i < queue.length && i < limit; i++) {
      const item = queue[i] as Item;
      if (item.hash === hash) return item;
      queue.push(...this.children(item));
    }
    return null;
  }
}

export interface Box {
  item: Item;
  x: number;
  width: number;
  row: number;
  /** Number of items too narrow to draw that stand here instead; 0: the item itself. */
  skipped: number;
}

/** The boxes of a flame graph `width` pixels wide whose full width is `zoom`. */
export function layout(tree: Tree, zoom: Item, width: number, narrowest = 0.5): { boxes: Box[]; rows: number } {
  const boxes: Box[] = [];
  const above: Item[] = [];
  for (let item: Item | null = zoom; item; item = item.parent) above.unshift(item);
  above.forEach((item, row) => {
    boxes.push({ item, x: 0, width, row, skipped: 0 });
  });
  let rows = above.length;
  const scale = zoom.width > 0 ? width / zoom.width : 0;
  const open: Box[] = [boxes[boxes.length - 1] as Box];
  while (open.length > 0) {
    const box = open.pop() as Box;
    let x = box.x;
    const children = tree.children(box.item);
    for (const [index, item] of children.entries()) {
      if (item.width <= 0) break;
      const wide = item.width * scale;
      if (wide < narrowest) {
        // Widest first: whatever follows is narrower still.
        const narrow = children.slice(index).filter((next) => next.width > 0);
        const rest = narrow.reduce((sum, next) => sum + next.width * scale, 0);
        boxes.push({ item, x, width: rest, row: box.row + 1, skipped: narrow.length });
        break;
      }
      const next = { item, x, width: wide, row: box.row + 1, skipped: 0 };
      boxes.push(next);
      open.push(next);
      x += wide;
    }
    if ((children[0]?.width ?? 0) > 0) rows = Math.max(rows, box.row + 2);
  }
  return { boxes, rows };
}
