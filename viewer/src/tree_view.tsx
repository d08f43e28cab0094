import { signal } from "@preact/signals";
import type { VNode } from "preact";
import { Toggle } from "./flame_view";
import { Grid, type RowMark } from "./grid";
import { HitShare, hits } from "./hits";
import { METRICS } from "./model";
import { count } from "./numbers";
import { Bar, copy, Empty, Name, Num, Place } from "./pieces";
import * as state from "./state";
import { csv, shortPath } from "./text";
import type { Item, Tree } from "./tree";

// The call tree as a table: the same items as the flame graph, with all ten numbers.

const ROW = 24;

const expanded = signal<ReadonlySet<Item>>(new Set());
const selected = signal<Item | null>(null);
let shownTree: Tree | null = null;

/** Opens the item, and below it whatever is an only child. */
function open(tree: Tree, set: Set<Item>, item: Item): void {
  let one: Item | undefined = item;
  while (one) {
    set.add(one);
    const children = tree.children(one);
    one = children.length === 1 ? children[0] : undefined;
  }
}

/** The next item that the search finds, in closed ones too, which open. */
export function step(direction: 1 | -1): void {
  const found = hits.value;
  if (!found) return;
  const all = [...state.tree.value.items(() => true)].filter((item) => found[item.frame] || item === selected.value);
  const at = selected.value ? all.indexOf(selected.value) : -1;
  const next = all[(at + direction + (at < 0 && direction < 0 ? 1 : 0) + all.length) % all.length];
  if (!next || !found[next.frame]) return;
  const open = new Set(expanded.value);
  for (let one = next.parent; one; one = one.parent) open.add(one);
  expanded.value = open;
  selected.value = next;
}

function nameOf(item: Item): string {
  const trace = state.trace();
  const frame = trace.frames[item.frame];
  return frame ? `${frame.function} ${shortPath(trace.files[frame.file]?.name ?? "")}:${frame.line}` : "";
}

export function TreeView() {
  const trace = state.trace();
  const tree = state.tree.value;
  if (shownTree !== tree) {
    shownTree = tree;
    const set = new Set<Item>();
    let heaviest: Item | undefined = tree.children(tree.root)[0];
    for (let depth = 0; heaviest && depth < 4; depth++) {
      open(tree, set, heaviest);
      heaviest = tree.children(heaviest)[0];
    }
    expanded.value = set;
    selected.value = null;
  }
  const rows = [...tree.items((item) => expanded.value.has(item))];
  const at = selected.value ? rows.indexOf(selected.value) : -1;
  const metric = state.metric.value;
  const others = METRICS.map((_, index) => index).filter((index) => index !== metric);
  const toggle = (item: Item) => {
    const next = new Set(expanded.value);
    if (!next.delete(item)) open(tree, next, item);
    expanded.value = next;
  };
  const row = (index: number, mark: RowMark): VNode => {
    const item = rows[index] as Item;
    const frame = trace.frames[item.frame];
    const self = tree.numbers(item, true);
    const total = tree.numbers(item, false);
    const more = tree.children(item).length > 0;
    const hit = hits.value?.[item.frame];
    return (
      <tr
        {...mark}
        key={index}
        class={`${mark.class} ${hit ? "hit" : ""}`}
        aria-level={item.depth}
        aria-expanded={more ? expanded.value.has(item) : undefined}
        onClick={() => {
          selected.value = item;
        }}
        onDblClick={() => toggle(item)}
      >
        <td class="name" style={{ paddingLeft: `${Math.min(item.depth - 1, 40) * 12 + 4}px` }}>
          {more ? (
            <button
              type="button"
              class="twist"
              tabIndex={-1}
              aria-label={expanded.value.has(item) ? "Close" : "Open"}
              aria-expanded={expanded.value.has(item)}
              onClick={(event) => {
                event.stopPropagation();
                toggle(item);
              }}
            />
          ) : (
            <span class="twist" />
          )}
          <Name text={frame?.function ?? ""} limit={80} />
          {item.repeat > 1 && ` ×${count(item.repeat)}`} <Place file={frame?.file ?? 0} line={frame?.line ?? 0} />
        </td>
        <td class="bars">
          <Bar metric={metric} self={self[metric] ?? 0} total={total[metric] ?? 0} own={true} nothing={false} />
        </td>
        <td class="n">
          <Num metric={metric} value={total[metric] ?? 0} />
        </td>
        {others.map((other) => (
          <td key={other} class="n">
            <Num metric={other} value={(state.own.value ? self : total)[other] ?? 0} />
          </td>
        ))}
      </tr>
    );
  };
  const onKey = (event: KeyboardEvent): boolean => {
    const item = selected.value;
    if (!item) return false;
    const isOpen = expanded.value.has(item);
    if (event.key === "ArrowRight") {
      if (!isOpen) toggle(item);
      else selected.value = tree.children(item)[0] ?? item;
    } else if (event.key === "ArrowLeft") {
      if (isOpen) toggle(item);
      else if (item.parent?.parent) selected.value = item.parent;
    } else if (event.key === "Enter") {
      const frame = trace.frames[item.frame];
      if (frame) state.goToLine(frame.file, frame.line);
    } else if (event.key === "c" && !state.keysOff.value) {
      void copy(csv([[nameOf(item), ...tree.numbers(item, false)]]), "the row");
    } else return false;
    return true;
  };
  if (rows.length === 0) return <Empty>No frame has any event here. Clear the filters above, or look at Tables.</Empty>;
  return (
    <div class="treeview">
      <div class="tools">
        <Toggle label="inverted" hint="i" of={state.inverted} />
        <Toggle label="fold recursion" hint="r" of={state.folded} />
        {hits.value && <HitShare found={hits.value} step={step} />}
        <span class="muted">Right and left open and close; Enter goes to the source.</span>
      </div>
      <Grid
        id="t"
        role="treegrid"
        label="Call tree"
        rows={rows.length}
        rowHeight={ROW}
        columns={METRICS.length + 2}
        selected={at}
        select={(index) => {
          selected.value = rows[index] ?? null;
        }}
        onKey={onKey}
        row={row}
        head={
          <>
            <th scope="col" class="name">
              function and line
            </th>
            <th scope="col" class="bars" title={METRICS[metric]?.help}>
              {METRICS[metric]?.label} self
            </th>
            <th scope="col" class="n">
              {METRICS[metric]?.label} total
            </th>
            {others.map((other) => (
              <th key={other} scope="col" class="n" title={METRICS[other]?.help}>
                {METRICS[other]?.label}
              </th>
            ))}
          </>
        }
      />
    </div>
  );
}
