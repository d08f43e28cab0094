import { batch, signal } from "@preact/signals";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { frameLabel, frameName, HitShare, hits } from "./hits";
import { lineName, lineText, METRICS } from "./model";
import { count, percent } from "./numbers";
import { copy, Empty, Name, TenNumbers } from "./pieces";
import * as state from "./state";
import { middleCut, printable } from "./text";
import { type Box, type Item, layout } from "./tree";

// The call tree as nested boxes on a canvas: the root on top (icicle) or at the bottom (flame). The canvas is as large as its window and
// scrolls by drawing, so no trace is too deep for it.

const ROW = 20;
const FONT = "12px ui-monospace, 'DejaVu Sans Mono', monospace";

const selectedItem = signal<Item | null>(null);
const hovered = signal<Item | null>(null);

const { zoom } = state;

function boxText(box: Box, wide: number): string {
  const { item } = box;
  const times = item.repeat > 1 ? ` ×${count(item.repeat)}` : "";
  const label = frameLabel(item.frame);
  const name = frameName(item.frame) + times;
  if (item.frame < 0) return `${name}  ${amount(item)}`;
  if (!label) return wide > 300 ? `${name}  ${amount(item)}` : name;
  return wide > 260 ? `${label}   ${name}${wide > 420 ? `  ${amount(item)}` : ""}` : label + times;
}

function valueAt(item: Item): number {
  return state.tree.value.numbers(item, false)[state.metric.value] ?? 0;
}

function amount(item: Item): string {
  const metric = state.metric.value;
  const value = valueAt(item);
  const whole = state.trace().signed ? 0 : (state.sums.value.all[metric] ?? 0);
  const word = state.trace().signed ? ` ${state.fate(sidesOf(item), value)}` : "";
  return `${state.shown(metric, value)}${word} ${percent(value, whole)}`.trim();
}

function sidesOf(item: Item): number {
  const { ran, ranBelow } = state.sums.value;
  return item.nodes.reduce((all, node) => all | ((item.callers ? ran : ranBelow)[node] ?? 0), 0);
}

function hue(text: string): number {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum = (sum * 31 + text.charCodeAt(i)) % 360;
  return sum;
}

interface Palette {
  [name: string]: string;
}

function palette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const names = ["bg", "fg", "muted", "accent", "yours", "library", "native", "hit", "growbox", "shrinkbox", "surface"];
  return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

function fill(item: Item, colours: Palette): string {
  const trace = state.trace();
  if (item.frame < 0) return colours.surface ?? "";
  if (trace.signed) {
    const value = valueAt(item);
    return (value > 0 ? colours.growbox : value < 0 ? colours.shrinkbox : colours.native) ?? "";
  }
  const file = trace.files[trace.frames[item.frame]?.file ?? 0];
  if (state.colouring.value === "kind") return colours[file?.kind ?? "library"] ?? "";
  return state.darkNow.value ? `hsl(${hue(file?.name ?? "")} 35% 26%)` : `hsl(${hue(file?.name ?? "")} 65% 82%)`;
}

/** In a difference the more of a frame has changed, the stronger its colour. */
function strength(item: Item): number {
  if (!state.trace().signed || item.frame < 0) return 1;
  return 0.35 + 0.65 * Math.min(1, Math.abs(valueAt(item)) / Math.max(1, item.width));
}

/** A canvas that is empty and so large; drawing is in CSS pixels. */
function prepare(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d");
  context?.scale(ratio, ratio);
  return context;
}

interface Picture {
  boxes: Box[];
  rows: number;
  rowHeight: number;
  /** Pixels above the window. */
  scroll: number;
  labels: boolean;
}

function topOf(box: Box, { rows, rowHeight, scroll }: Picture): number {
  return (state.upright.value ? rows - 1 - box.row : box.row) * rowHeight - scroll;
}

function draw(canvas: HTMLCanvasElement, width: number, height: number, picture: Picture): void {
  const { boxes, rowHeight, labels } = picture;
  const context = prepare(canvas, width, height);
  if (!context) return;
  const colours = palette();
  context.fillStyle = colours.bg ?? "";
  context.fillRect(0, 0, width, height);
  context.font = FONT;
  context.textBaseline = "middle";
  const letter = context.measureText("m").width;
  const found = hits.value;
  const gap = labels ? 1 : 0;
  for (const box of boxes) {
    const y = topOf(box, picture);
    if (y + rowHeight < 0 || y > height) continue;
    const wide = box.width;
    if (box.skipped > 0) {
      hatch(context, box.x, y, Math.max(1, wide), rowHeight - gap, colours.muted ?? "");
      if (labels && wide > 160)
        label(context, `${count(box.skipped)} frames < 0.5 px`, box.x, y, wide, letter, colours);
      continue;
    }
    context.fillStyle = fill(box.item, colours);
    context.globalAlpha = strength(box.item);
    context.fillRect(box.x, y, Math.max(0.5, wide - (wide > 3 ? 1 : 0)), rowHeight - gap);
    context.globalAlpha = 1;
    if (found?.[box.item.frame]) {
      context.fillStyle = colours.hit ?? "";
      context.fillRect(box.x, y, Math.max(1, wide - 1), labels ? 4 : rowHeight);
    }
    if (labels && wide > 3 * letter) label(context, boxText(box, wide), box.x, y, wide, letter, colours);
  }
}

/** The picture with frames around the selected and the hovered box: moving them draws nothing else anew. */
function drawMarked(canvas: HTMLCanvasElement, base: HTMLCanvasElement, picture: Picture, marked: Item[]): void {
  const context = prepare(canvas, canvas.clientWidth, canvas.clientHeight);
  if (!context || base.width === 0 || base.height === 0) return;
  context.drawImage(base, 0, 0, canvas.clientWidth, canvas.clientHeight);
  const colours = palette();
  context.lineWidth = 2;
  for (const box of picture.boxes) {
    if (box.skipped > 0 || !marked.includes(box.item)) continue;
    context.strokeStyle = (box.item === marked[0] ? colours.accent : colours.fg) ?? "";
    context.strokeRect(box.x + 1, topOf(box, picture) + 1, Math.max(1, box.width - 3), picture.rowHeight - 3);
  }
}

function label(
  context: CanvasRenderingContext2D,
  text: string,
  x: number,
  y: number,
  wide: number,
  letter: number,
  colours: Palette,
) {
  const room = Math.floor((wide - 8) / letter);
  if (room < 2) return;
  const shown = printable(text.slice(0, 300));
  const cut = shown.length > room ? `${shown.slice(0, room - 1)}…` : shown;
  context.fillStyle = colours.fg ?? "";
  // Letters of one width cannot leave the box; others are kept in it.
  const plain = /^[ -~…×]*$/.test(cut);
  if (!plain) {
    context.save();
    context.beginPath();
    context.rect(x, y, wide - 2, ROW);
    context.clip();
  }
  context.fillText(cut, x + 4, y + ROW / 2);
  if (!plain) context.restore();
}

function hatch(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  width: number,
  height: number,
  colour: string,
): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = x - height; at < x + width; at += 5) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

function speak(item: Item): void {
  const children = state.tree.value.children(item).length;
  state.spoken.value = `${printable(frameName(item.frame)).slice(0, 300)}, ${METRICS[state.metric.value]?.label} total ${amount(item)}, depth ${item.depth}, ${children} children`;
}

function choose(item: Item): void {
  selectedItem.value = item;
  speak(item);
}

function zoomTo(item: Item): void {
  zoom.value = item.parent ? item.hash : 0;
  choose(item);
}

export function resetZoom(): void {
  zoomTo(state.tree.value.root);
}

export function zoomOut(): void {
  zoomTo(state.zoomItem.value.parent ?? state.tree.value.root);
}

function openSource(item: Item): void {
  const frame = state.trace().frames[item.frame];
  if (frame && item.frame > 0) state.goToLine(frame.file, frame.line);
}

/** The widest frame of a line, in the whole graph, or if it were hardly seen there, as the root of its own. */
export function showLine(file: number, line: number): void {
  const tree = state.tree.value;
  let widest: Item | null = null;
  for (const item of tree.items(() => true)) {
    const frame = state.trace().frames[item.frame];
    if (frame?.file === file && frame.line === line && item.width > (widest?.width ?? 0)) widest = item;
  }
  if (!widest) {
    state.notice.value = `No frame of this line has any ${METRICS[state.metric.value]?.label}.`;
    return;
  }
  const found = widest;
  // One step of the browser's history.
  batch(() => {
    state.view.value = "flame";
    zoom.value = found.width < tree.root.width / 100 ? found.hash : 0;
    choose(found);
  });
}

function stackText(item: Item): string {
  const names: string[] = [];
  for (let one: Item | null = item; one?.parent; one = one.parent) names.unshift(frameName(one.frame));
  return names.join("\n");
}

/** The next box with a hit, in the order in which the boxes are drawn. */
let nextHit: (direction: 1 | -1) => void = () => {};
export function step(direction: 1 | -1): void {
  nextHit(direction);
}

export function FlameView() {
  const canvas = useRef<HTMLCanvasElement>(null);
  const overview = useRef<HTMLCanvasElement>(null);
  const base = useRef<HTMLCanvasElement | null>(null);
  const [width, setWidth] = useState(0);
  const [height, setHeight] = useState(0);
  const [scroll, setScroll] = useState(0);
  const tree = state.tree.value;
  const zoomed = state.zoomItem.value;
  const { boxes, rows } = useMemo(() => layout(tree, zoomed, width), [tree, zoomed, width]);
  const whole = useMemo(() => layout(tree, tree.root, width, 1), [tree, width]);
  const selected = selectedItem.value && within(selectedItem.value, tree.root) ? selectedItem.value : zoomed;
  const limit = Math.max(0, rows * ROW - height);
  const at = state.upright.value ? Math.max(0, limit - scroll) : Math.min(scroll, limit);
  const showOverview = boxes.length > 40 || zoomed !== tree.root;

  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      setWidth(element.clientWidth);
      setHeight(element.clientHeight);
    });
    observer.observe(element);
    setWidth(element.clientWidth);
    setHeight(element.clientHeight);
    return () => observer.disconnect();
  }, []);

  const looks = [width, height, at, state.darkNow.value, state.colouring.value, hits.value, state.upright.value];
  const picture = { boxes, rows, rowHeight: ROW, scroll: at, labels: true };
  // As soon as the page has changed, not some time later: on paper the graph is light.
  useLayoutEffect(() => {
    base.current ??= document.createElement("canvas");
    if (width > 0) draw(base.current, width, height, picture);
  }, [boxes, ...looks]);
  useLayoutEffect(() => {
    if (!canvas.current || !base.current || width === 0) return;
    drawMarked(canvas.current, base.current, picture, hovered.value ? [selected, hovered.value] : [selected]);
  }, [boxes, ...looks, selected, hovered.value]);
  useLayoutEffect(() => {
    const element = overview.current;
    if (!element || width === 0) return;
    const rowHeight = Math.max(1, Math.min(4, 40 / whole.rows));
    draw(element, width, element.clientHeight, { ...whole, rowHeight, scroll: 0, labels: false });
    const frame = whole.boxes.find((box) => box.item === zoomed && box.skipped === 0);
    const context = element.getContext("2d");
    if (frame?.item.parent && context) {
      context.strokeStyle = palette().fg ?? "";
      context.lineWidth = 2;
      context.strokeRect(frame.x + 1, 1, Math.max(2, frame.width - 2), element.clientHeight - 2);
    }
  }, [whole, width, zoomed, state.darkNow.value, state.colouring.value, hits.value, state.upright.value, showOverview]);

  nextHit = (direction) => {
    const found = hits.value;
    if (!found) return;
    const order = boxes
      .filter((box) => box.skipped === 0 && found[box.item.frame])
      .sort((a, b) => a.x - b.x || a.row - b.row);
    if (order.length === 0) return;
    const now = order.findIndex((box) => box.item === selected);
    reveal((order[(now + direction + order.length) % order.length] as Box).item);
  };

  const scrollTo = (item: Item) => {
    const top = item.depth * ROW;
    const seen = state.upright.value ? scroll : at;
    if (top < seen || top + ROW > seen + height) setScroll(Math.max(0, Math.min(limit, top - height / 2)));
  };
  const reveal = (item: Item) => {
    choose(item);
    scrollTo(item);
  };
  useEffect(() => {
    if (height > 0) scrollTo(selected);
  }, [height > 0]);

  const boxAt = (event: MouseEvent): Box | undefined => {
    const y = Math.floor((event.offsetY + at) / ROW);
    const row = state.upright.value ? rows - 1 - y : y;
    return boxes.find((box) => box.row === row && event.offsetX >= box.x && event.offsetX < box.x + box.width);
  };

  const onKey = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const siblings = selected.parent ? tree.children(selected.parent) : [selected];
    const index = siblings.indexOf(selected);
    const up = state.upright.value ? "ArrowDown" : "ArrowUp";
    const down = state.upright.value ? "ArrowUp" : "ArrowDown";
    let next: Item | undefined;
    if (event.key === up) next = selected.parent ?? undefined;
    else if (event.key === down) next = tree.children(selected)[0];
    else if (event.key === "ArrowLeft") next = siblings[index - 1];
    else if (event.key === "ArrowRight") next = siblings[index + 1];
    else if (event.key === "Enter") {
      if (selected === zoomed) openSource(selected);
      else zoomTo(selected);
    } else if (event.key === "Backspace") zoomOut();
    else if (event.key === "c" && !state.keysOff.value) void copy(stackText(selected), "the stack, outermost first");
    else return;
    event.preventDefault();
    event.stopPropagation();
    if (next) reveal(next);
  };

  const metric = METRICS[state.metric.value];
  const widest = useMemo(
    () =>
      boxes
        .filter((box) => box.skipped === 0 && box.item.parent)
        .sort((a, b) => b.width - a.width)
        .slice(0, 20),
    [boxes],
  );
  const skipped = useMemo(() => boxes.reduce((sum, box) => sum + box.skipped, 0), [boxes]);
  if (tree.root.width === 0 || tree.children(tree.root).length === 0) {
    return (
      <Empty>
        {state.sums.value.all[state.metric.value]
          ? "All of it was allocated outside of any frame that is known (<native>); Tables shows by which allocator."
          : `Nothing has any ${metric?.label} here. Choose another number, or clear the filters above.`}
      </Empty>
    );
  }
  return (
    <div class="flame">
      <div class="tools">
        <Toggle label="inverted" hint="i" of={state.inverted} />
        <Toggle label="fold recursion" hint="r" of={state.folded} />
        <Toggle label="root at the bottom" of={state.upright} />
        {!state.trace().signed && (
          <label>
            colour by{" "}
            <select
              aria-label="colour by"
              value={state.colouring.value}
              onChange={(event) => (state.colouring.value = event.currentTarget.value as state.Colouring)}
            >
              <option value="kind">whose code</option>
              <option value="file">file</option>
            </select>
          </label>
        )}
        <button type="button" disabled={zoomed === tree.root} onClick={resetZoom}>
          Whole graph
        </button>
        <Legend />
        {hits.value && <HitShare found={hits.value} step={nextHit} />}
        {skipped > 0 && (
          <span class="muted" title="Zoom in to see them">
            hatched: frames narrower than 0.5 px, {count(skipped)} of them
          </span>
        )}
      </div>
      {showOverview && (
        <canvas
          class="overview"
          ref={overview}
          aria-hidden="true"
          onClick={(event) => {
            const box = whole.boxes
              .filter((one) => one.skipped === 0 && event.offsetX >= one.x && event.offsetX < one.x + one.width)
              .sort((a, b) => a.row - b.row)[1];
            if (box) zoomTo(box.item);
          }}
        />
      )}
      <canvas
        class="graph"
        style={{ minHeight: `${Math.min(rows * ROW, 240)}px` }}
        ref={canvas}
        tabIndex={0}
        role="application"
        aria-roledescription="flame graph"
        aria-label={`Flame graph of ${metric?.label}, ${count(boxes.length)} frames; same data in Tree`}
        aria-describedby="widest"
        onKeyDown={onKey}
        onFocus={() => speak(selected)}
        onMouseMove={(event) => {
          const box = boxAt(event);
          hovered.value = box && box.skipped === 0 ? box.item : null;
          event.currentTarget.title = box
            ? box.skipped > 0
              ? `${count(box.skipped)} frames too narrow to draw`
              : middleCut(
                  printable(`${frameName(box.item.frame)}\n${frameLabel(box.item.frame)}\n${amount(box.item)}`),
                  600,
                )
            : "";
        }}
        onMouseLeave={() => {
          hovered.value = null;
        }}
        onClick={(event) => {
          const box = boxAt(event);
          if (box) choose(box.item);
        }}
        onDblClick={(event) => {
          const box = boxAt(event);
          if (box) zoomTo(box.item);
        }}
        onWheel={(event) => {
          if (limit === 0 || event.ctrlKey) return;
          const next = Math.max(0, Math.min(limit, scroll + (state.upright.value ? -event.deltaY : event.deltaY)));
          if (next !== scroll) event.preventDefault();
          setScroll(next);
        }}
      />
      <table id="widest" class="hidden">
        <caption>The 20 widest frames</caption>
        <thead>
          <tr>
            <th scope="col">frame</th>
            <th scope="col">{metric?.label}</th>
          </tr>
        </thead>
        <tbody>
          {widest.map((box, index) => (
            <tr key={index}>
              <td>
                <Name text={frameName(box.item.frame)} limit={200} />
              </td>
              <td>{amount(box.item)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Detail item={selected} zoomed={zoomed} />
    </div>
  );
}

function within(item: Item, root: Item): boolean {
  let one: Item = item;
  while (one.parent) one = one.parent;
  return one === root;
}

export function Toggle({ label, hint, of }: { label: string; hint?: string; of: { value: boolean } }) {
  return (
    <label class="check">
      <input type="checkbox" checked={of.value} onChange={(event) => (of.value = event.currentTarget.checked)} />{" "}
      {label}
      {hint && <kbd>{hint}</kbd>}
    </label>
  );
}

function Legend() {
  const entries: [string, string][] = state.trace().signed
    ? [
        ["growbox", "grown"],
        ["shrinkbox", "shrunk"],
        ["native", "same"],
      ]
    : state.colouring.value === "kind"
      ? [
          ["yours", "your code"],
          ["library", "libraries"],
          ["native", "native"],
        ]
      : [];
  return (
    <span class="legend">
      {entries.map(([name, text]) => (
        <span key={name}>
          <i style={{ background: `var(--${name})` }} /> {text}
        </span>
      ))}
    </span>
  );
}

function Detail({ item, zoomed }: { item: Item; zoomed: Item }) {
  const trace = state.trace();
  const tree = state.tree.value;
  const frame = item.frame > 0 ? trace.frames[item.frame] : undefined;
  const around = frame
    ? [-3, -2, -1, 0, 1, 2, 3].map((by) => [frame.line + by, lineText(trace, frame.file, frame.line + by)] as const)
    : [];
  const code = around.filter(([, text]) => text !== undefined);
  return (
    <aside class="detail" aria-label="Selected frame" tabIndex={0}>
      <div>
        <p class="title">
          <Name text={item.frame < 0 ? trace.name : (frame?.function ?? "<native>")} limit={160} />
          {item.repeat > 1 && ` ×${count(item.repeat)}`}
        </p>
        {frame && (
          <p class="muted">
            <Name text={`${trace.files[frame.file]?.name}:${lineName(frame.line)}`} limit={160} />
          </p>
        )}
        <p>
          {amount(item)}{" "}
          <button type="button" disabled={item === zoomed} onClick={() => zoomTo(item)}>
            Zoom
          </button>{" "}
          <button type="button" disabled={!frame} onClick={() => openSource(item)}>
            Open source
          </button>{" "}
          <button type="button" onClick={() => void copy(stackText(item), "the stack, outermost first")}>
            Copy stack
          </button>
        </p>
        {frame && code.length > 0 && (
          <pre>
            {code.map(([number, text]) => (
              <div key={number} class={number === frame.line ? "here" : ""}>
                {String(Math.abs(number)).padStart(5)} {printable((text ?? "").slice(0, 300), true)}
              </div>
            ))}
          </pre>
        )}
      </div>
      <TenNumbers
        self={tree.numbers(item, true)}
        total={tree.numbers(item, false)}
        parent={item.parent?.parent ? tree.numbers(item.parent, false) : null}
      />
    </aside>
  );
}
