import { computed, signal } from "@preact/signals";
import type { VNode } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import * as flame from "./flame_view";
import { Grid, type RowMark } from "./grid";
import { highlight, type Token } from "./highlight";
import { KINDS, type Kind, lineName, METRICS, type Source } from "./model";
import { count } from "./numbers";
import { Bar, copy, Empty, Go, Name, Num, share, TenNumbers } from "./pieces";
import * as state from "./state";
import type { Place } from "./sums";
import * as tables from "./tables_view";
import { csv, matcher, printable, shortPath } from "./text";
import { shownLines } from "./unfold";

// The files of the trace with the numbers beside each line.

/** A row; on narrow windows the numbers stand above the code. */
const ROW = 20;
const NARROW_ROW = 40;
const { line } = state;

/** Lines the user has asked for although nothing ran there, by file. */
const revealed = signal<ReadonlySet<string>>(new Set());
const everything = signal(false);
/** Lines whose callers and callees are open. */
const opened = signal<ReadonlySet<string>>(new Set());

interface Call {
  direction: "calls" | "called by";
  frame: number;
  numbers: Float64Array;
}

type Row =
  | { type: "line"; number: number; text: Token[]; place: Place | undefined }
  | { type: "gap"; from: number; to: number }
  | { type: "call"; line: number; call: Call };

const places = computed(() => {
  const byFile = new Map<number, Map<number, Place>>();
  for (const place of state.sums.value.tables.lines) {
    const lines = byFile.get(place.file) ?? new Map<number, Place>();
    lines.set(place.line, place);
    byFile.set(place.file, lines);
  }
  return byFile;
});

/** The coloured lines of a file by number; lines that only the earlier source has by their negative number. */
function tokensOf(file: number): Map<number, Token[]> {
  const trace = state.trace();
  const name = trace.files[file]?.name ?? "";
  const tokens = new Map<number, Token[]>();
  const add = (source: Source | undefined, sign: number) => {
    for (const { first, lines } of source?.pieces ?? []) {
      highlight(name, lines).forEach((line, index) => {
        tokens.set(sign * (first + index), line);
      });
    }
  };
  add(trace.sources.get(file), 1);
  if ([...(places.value.get(file)?.keys() ?? [])].some((number) => number < 0)) add(trace.earlierSources.get(file), -1);
  return tokens;
}

/** Who is called from a line and who calls it, each with the numbers that pass there. */
function callsOf(place: Place): Call[] {
  const trace = state.trace();
  const { total } = state.sums.value;
  const calls = new Map<number, Call>();
  const callers = new Map<number, Call>();
  const add = (map: Map<number, Call>, direction: Call["direction"], frame: number, node: number) => {
    const call = map.get(frame) ?? { direction, frame, numbers: new Float64Array(METRICS.length) };
    map.set(frame, call);
    for (let metric = 0; metric < METRICS.length; metric++) {
      call.numbers[metric] = (call.numbers[metric] as number) + (total[metric]?.[node] as number);
    }
  };
  const here = (node: number) => {
    const frame = trace.frames[trace.nodeFrame[node] as number];
    return frame?.file === place.file && frame.line === place.line;
  };
  let until = 0;
  for (let node = 1; node < trace.nodeFrame.length; node++) {
    // Only the outermost activation: what an inner one calls is in its numbers already.
    if (node < until || !here(node)) continue;
    until = trace.nodeEnd[node] as number;
    const parent = trace.nodeParent[node] as number;
    if (parent > 0) add(callers, "called by", trace.nodeFrame[parent] as number, node);
    for (let child = node + 1; child < until; child = trace.nodeEnd[child] as number) {
      add(calls, "calls", trace.nodeFrame[child] as number, child);
    }
  }
  const metric = state.metric.value;
  const order = (a: Call, b: Call) => Math.abs(b.numbers[metric] as number) - Math.abs(a.numbers[metric] as number);
  const happened = (call: Call) => call.numbers.some((value) => value !== 0);
  return [...[...calls.values()].filter(happened).sort(order), ...[...callers.values()].filter(happened).sort(order)];
}

/** The line of today's source after which a line of the earlier one stood: where the nearest line above it is now. */
function formerPlace(file: number, number: number): number {
  const trace = state.trace();
  const now = trace.sources.get(file);
  const before = trace.earlierSources.get(file);
  if (!now || !before) return number;
  for (let above = number - 1; above >= Math.max(1, number - 50); above--) {
    const text = before.line(above)?.trim();
    if (!text) continue;
    for (let by = 0; by <= 50; by++) {
      if (now.line(above + by)?.trim() === text) return above + by;
      if (now.line(above - by)?.trim() === text) return above - by;
    }
  }
  return number;
}

function lineRows(file: number, tokens: Map<number, Token[]>): Row[] {
  const trace = state.trace();
  const here = places.value.get(file) ?? new Map<number, Place>();
  const rows: Row[] = [];
  const left = new Set(here.keys());
  const add = (number: number, missing = "") => {
    const place = here.get(number);
    left.delete(number);
    rows.push({ type: "line", number, text: tokens.get(number) ?? [{ kind: "comment", text: missing }], place });
    if (place && opened.value.has(`${file}:${number}`)) {
      for (const call of callsOf(place)) rows.push({ type: "call", line: number, call });
    }
  };
  const gone = new Map<number, number[]>();
  for (const number of [...here.keys()].sort((a, b) => b - a)) {
    if (number >= 0 || !tokens.has(number)) continue;
    const after = formerPlace(file, -number);
    gone.set(after, [...(gone.get(after) ?? []), number]);
  }
  const sections = trace.sections
    .filter((one) => one.file === file)
    .map((one): [number, number] => [one.first, one.last]);
  for (const { first, lines } of trace.sources.get(file)?.pieces ?? []) {
    const shown = shownLines(lines, first, [...here.keys(), ...gone.keys()], sections);
    let gap = 0;
    const close = (next: number) => {
      if (gap > 0) rows.push({ type: "gap", from: gap, to: next - 1 });
      gap = 0;
    };
    for (let i = 0; i < lines.length; i++) {
      const number = first + i;
      if (shown[i] || everything.value || number === line.value || revealed.value.has(`${file}:${number}`)) {
        close(number);
        add(number);
        for (const former of gone.get(number) ?? []) add(former);
      } else if (gap === 0) gap = number;
    }
    close(first + lines.length);
  }
  // What is not in the text: a file without source, changed since, or blocks without a line.
  for (const number of [...left].sort((a, b) => a - b)) {
    add(
      number,
      trace.sources.has(file) ? "line not in the source" : number === 0 ? "no line is known" : "source not available",
    );
  }
  return rows;
}

export function heaviestLine(file: number): number {
  let best = 0;
  let most = -1;
  for (const [number, place] of places.value.get(file) ?? []) {
    const value = Math.abs((state.own.value ? place.self : place.total)[state.metric.value] ?? 0);
    if (value > most) [best, most] = [number, value];
  }
  return best;
}

/** The numbers of the lines with a hit, in parts that are folded as well. */
function hitsIn(file: number, pattern: RegExp): number[] {
  const pieces = state.trace().sources.get(file)?.pieces ?? [];
  return pieces.flatMap(({ first, lines }) =>
    lines.flatMap((text, index) => (pattern.test(text) ? [first + index] : [])),
  );
}

/** What lines hold together, themselves: nothing twice. */
function selfOf(file: number, numbers: number[]): string {
  const metric = state.metric.value;
  const here = places.value.get(file);
  const sum = numbers.reduce((all, number) => all + (here?.get(number)?.self[metric] ?? 0), 0);
  return `${state.shown(metric, sum)} self, ${share(metric, sum) || "0 %"}`;
}

/** The next line with a hit of the search, or with numbers if nothing is searched for. */
export function step(direction: 1 | -1): void {
  const file = state.file.value;
  const numbers = state.query.value
    ? hitsIn(file, matcher(state.query.value))
    : [...(places.value.get(file)?.keys() ?? [])];
  const sorted = numbers.sort((a, b) => direction * (a - b));
  const next = sorted.find((number) => direction * (number - line.value) > 0) ?? sorted[0];
  if (next !== undefined) line.value = next;
}

function Code({ tokens }: { tokens: Token[] }) {
  const indent = /^\s*/.exec(tokens[0]?.text ?? "")?.[0] ?? "";
  return (
    <bdi class="text">
      {printable(indent, true)}
      <span class="words">
        {tokens.map((token, index) => (
          <span key={index} class={token.kind && `t-${token.kind}`}>
            {printable(token.text.slice(index === 0 ? indent.length : 0, 10_000), true)}
          </span>
        ))}
      </span>
    </bdi>
  );
}

function toggle(set: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(key)) next.add(key);
  return next;
}

export function SourceView() {
  const trace = state.trace();
  const file = state.file.value;
  const tokens = useMemo(() => tokensOf(file), [file, places.value]);
  const rows = lineRows(file, tokens);
  const wanted = state.columns.value.includes(state.metric.value)
    ? state.columns.value
    : [state.metric.value, ...state.columns.value];
  const columns = wanted.length + (trace.signed ? 4 : 2);
  const selected = rows.findIndex((row) => row.type === "line" && row.number === line.value);
  const pattern = state.query.value ? matcher(state.query.value) : null;
  const found = pattern && hitsIn(file, pattern);
  const open = (number: number) => {
    opened.value = toggle(opened.value, `${file}:${number}`);
  };
  const row = (index: number, mark: RowMark): VNode => {
    const one = rows[index] as Row;
    if (one.type === "gap") {
      return (
        <tr {...mark} key={`gap${one.from}`} class={`gap ${mark.class}`}>
          <td class="number" />
          <td colSpan={columns - 1}>
            <button
              type="button"
              onClick={() => {
                const next = new Set(revealed.value);
                for (let number = one.from; number <= one.to; number++) next.add(`${file}:${number}`);
                revealed.value = next;
              }}
            >
              {one.to - one.from + 1} {one.to === one.from ? "line" : "lines"} without events, {one.from}–{one.to}
            </button>
          </td>
        </tr>
      );
    }
    if (one.type === "call") return callRow(one.call, mark, wanted, index);
    const { place } = one;
    const hit = pattern?.test(one.text.map((token) => token.text).join(""));
    return (
      <tr
        {...mark}
        key={one.number}
        class={`${mark.class} ${hit ? "hit" : ""} ${place ? "" : "quiet"} ${one.number < 0 ? "gone" : ""}`}
        onClick={() => {
          line.value = one.number;
        }}
        onDblClick={() => place && open(one.number)}
      >
        <td class="number">{Math.abs(one.number)}</td>
        {trace.signed && (
          <>
            <td class="fate">
              {place && state.fate(place.sides, (state.own.value ? place.self : place.total)[state.metric.value] ?? 0)}
            </td>
            <td class="n">{place && <Now place={place} />}</td>
          </>
        )}
        {wanted.map((metric) => (
          <td key={metric} class={metric === state.metric.value ? "bars" : "n"}>
            {place && numberCell(place, metric)}
          </td>
        ))}
        <td class="code">
          {place ? (
            <button
              type="button"
              class="twist"
              tabIndex={-1}
              aria-expanded={opened.value.has(`${file}:${one.number}`)}
              aria-label={`Callers and callees of line ${lineName(one.number)}`}
              onClick={(event) => {
                event.stopPropagation();
                open(one.number);
              }}
            />
          ) : (
            <span class="twist" />
          )}
          <Code tokens={one.text} />
        </td>
      </tr>
    );
  };
  const onKey = (event: KeyboardEvent, index: number): boolean => {
    const one = rows[index];
    if (event.key === "Enter" && one?.type === "line" && one.place) {
      open(one.number);
      return true;
    }
    if (event.key === "c" && one?.type === "line" && !state.keysOff.value) {
      const text = one.text.map((token) => token.text).join("");
      const numbers = wanted.map((metric) => (state.own.value ? one.place?.self : one.place?.total)?.[metric] ?? "");
      void copy(csv([[one.number, ...numbers, text]]), `line ${one.number}`);
      return true;
    }
    return false;
  };
  const current = places.value.get(file)?.get(line.value);
  return (
    <div class="source">
      <Files />
      <section class="sheet" aria-label="Source">
        <div class="path">
          <h2>
            <Name text={trace.files[file]?.name ?? ""} limit={120} />
          </h2>
          {found !== null && (
            <span role="status">
              {found.length === 0
                ? "not found in this file; ] goes to the next"
                : `${count(found.length)} ${found.length === 1 ? "line" : "lines"} found: ${selfOf(file, found)}`}
            </span>
          )}
          <label class="check">
            <input
              type="checkbox"
              checked={everything.value}
              onChange={(event) => (everything.value = event.currentTarget.checked)}
            />{" "}
            all lines
          </label>
        </div>
        {rows.length === 0 ? (
          <EmptyFile />
        ) : (
          <div class="withmap">
            <Grid
              id="s"
              role="grid"
              label={`Source with numbers: ${shortPath(printable(trace.files[file]?.name ?? ""))}`}
              rows={rows.length}
              rowHeight={state.narrow.value ? NARROW_ROW : ROW}
              columns={columns}
              selected={selected}
              select={(index) => {
                const one = rows[index];
                if (one?.type === "line") line.value = one.number;
                else if (one) {
                  // Rows that are no lines are stepped over.
                  const next = rows.slice(index).find((other) => other.type === "line");
                  const before = rows
                    .slice(0, index)
                    .reverse()
                    .find((other) => other.type === "line");
                  const to = index > selected ? (next ?? before) : (before ?? next);
                  if (to?.type === "line") line.value = to.number;
                }
              }}
              onKey={onKey}
              row={row}
              head={
                <>
                  <th scope="col" class="number">
                    line
                  </th>
                  {trace.signed && (
                    <>
                      <th scope="col" class="fate">
                        change
                      </th>
                      <th scope="col" class="n">
                        {METRICS[state.metric.value]?.label} {state.swapped.value ? "before" : "now"}
                      </th>
                    </>
                  )}
                  {wanted.map((metric) => (
                    <th
                      key={metric}
                      scope="col"
                      class={metric === state.metric.value ? "bars" : "n"}
                      title={METRICS[metric]?.help}
                    >
                      {METRICS[metric]?.label}
                    </th>
                  ))}
                  <th scope="col" class="code">
                    code
                  </th>
                </>
              }
            />
            <Minimap rows={rows} pattern={pattern} />
          </div>
        )}
        {current && (
          <aside class="detail" aria-label={`Line ${lineName(line.value)}, exact`} tabIndex={0}>
            <p>
              Line {lineName(line.value)} in <Name text={current.function} limit={100} />:{" "}
              {share(state.metric.value, current.total[state.metric.value] ?? 0)}{" "}
              {trace.signed ? "in relation to the scope's" : "of"} {METRICS[state.metric.value]?.label}
              {trace.signed && " before"}, total{" "}
              <button type="button" onClick={() => flame.showLine(current.file, current.line)}>
                Show in Flame
              </button>{" "}
              <button type="button" onClick={() => tables.showLine(current.file, current.line)}>
                Show in Tables
              </button>
            </p>
            <TenNumbers self={current.self} total={current.total} />
          </aside>
        )}
      </section>
    </div>
  );
}

/** What a changed line has now. */
function Now({ place }: { place: Place }) {
  const metric = state.metric.value;
  const now = nowPlaces.value.get(place.id);
  const value = (state.own.value ? now?.self : now?.total)?.[metric];
  if (value === undefined) return <span class="muted">–</span>;
  return <span title={state.exact(metric, value)}>{state.plain(metric, value)}</span>;
}

const nowPlaces = computed(() => new Map(state.sumsNow.value.tables.lines.map((place) => [place.id, place])));

function numberCell(place: Place, metric: number) {
  const self = place.self[metric] ?? 0;
  const total = place.total[metric] ?? 0;
  // Without any allocation of its own the line only stands on stacks.
  const onStackOnly = state.own.value && place.ownSides === 0;
  if (metric === state.metric.value) {
    return (
      <>
        {onStackOnly && <i class="dot" title={`only calls: total ${state.exact(metric, total)}`} />}
        <Bar metric={metric} self={self} total={total} own={state.own.value} nothing={onStackOnly} />
      </>
    );
  }
  return <Num metric={metric} value={state.own.value ? self : total} nothing={onStackOnly} />;
}

function callRow(call: Call, mark: RowMark, wanted: readonly number[], index: number): VNode {
  const trace = state.trace();
  const frame = trace.frames[call.frame];
  return (
    <tr {...mark} key={`call${index}`} class={`call ${mark.class}`}>
      <td class="number" />
      {trace.signed && <td colSpan={2} />}
      {wanted.map((metric) => (
        <td key={metric} class={metric === state.metric.value ? "bars" : "n"}>
          <Num metric={metric} value={call.numbers[metric] ?? 0} />
        </td>
      ))}
      <td class="code">
        <span class="muted">{call.direction} </span>
        <Go file={frame?.file ?? 0} line={frame?.line ?? 0}>
          <Name
            text={`${shortPath(trace.files[frame?.file ?? 0]?.name ?? "")}:${lineName(frame?.line ?? 0)} ${frame?.function}`}
            limit={120}
          />
        </Go>{" "}
        <span class="muted">{share(state.metric.value, call.numbers[state.metric.value] ?? 0)}</span>
      </td>
    </tr>
  );
}

const KIND_TITLES: Record<Kind, string> = { yours: "your code", library: "libraries", native: "native" };

/** Files by kind, the largest first. */
export function filesInOrder(): { kind: Kind; files: { file: number; value: number }[] }[] {
  const trace = state.trace();
  const value = new Map(state.sums.value.tables.files.map((row) => [row.file, row.total[state.metric.value] ?? 0]));
  for (const section of trace.sections) if (!value.has(section.file)) value.set(section.file, 0);
  return KINDS.map((kind) => ({
    kind,
    files: [...value]
      .filter(([file]) => trace.files[file]?.kind === kind)
      .map(([file, number]) => ({ file, value: number }))
      .sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.file - b.file),
  })).filter((group) => group.files.length > 0);
}

function openFile(file: number): void {
  state.file.value = file;
  line.value = heaviestLine(file);
}

function Files() {
  const trace = state.trace();
  const groups = filesInOrder();
  const name = (file: number) => shortPath(trace.files[file]?.name ?? "");
  const metric = state.metric.value;
  return (
    <nav class="files" aria-label="Files">
      <label class="narrow">
        file{" "}
        <select
          aria-label="file"
          value={state.file.value}
          onChange={(event) => openFile(Number(event.currentTarget.value))}
        >
          {groups.map((group) => (
            <optgroup key={group.kind} label={KIND_TITLES[group.kind]}>
              {group.files.map(({ file, value }) => (
                <option key={file} value={file}>
                  {printable(name(file))} {state.shown(metric, value)}
                </option>
              ))}
            </optgroup>
          ))}
        </select>
      </label>
      {groups.map((group) => (
        <details
          key={group.kind}
          class="wide"
          open={group.kind === "yours" || group.files.some((one) => one.file === state.file.value)}
        >
          <summary>
            {KIND_TITLES[group.kind]} ({group.files.length})
          </summary>
          <ul>
            {group.files.slice(0, 500).map(({ file, value }) => (
              <li key={file}>
                <Go
                  file={file}
                  line={heaviestLine(file)}
                  current={file === state.file.value}
                  title={printable(trace.files[file]?.name ?? "").slice(0, 500)}
                >
                  <Name text={name(file)} limit={40} />
                  <Num metric={metric} value={value} />
                </Go>
              </li>
            ))}
          </ul>
          {group.files.length > 500 && <p class="muted">{group.files.length - 500} more in Tables, Files</p>}
        </details>
      ))}
    </nav>
  );
}

function EmptyFile() {
  const trace = state.trace();
  const note = trace.emptyNote || trace.sections.find((one) => one.file === state.file.value)?.note;
  if (state.filtersActive())
    return <Empty>No events in this file under the filters. Choose another file, or clear the filters above.</Empty>;
  if (state.sums.value.tables.lines.length > 0) {
    return (
      <Empty>
        {note ? printable(note) : "There is neither source of this file in the trace nor any event in it."} Choose
        another file.
      </Empty>
    );
  }
  return (
    <Empty>
      {note && `${printable(note)} `}
      Nothing was allocated in this scope. If something should have been: did the traced function run (a cached result
      does not), and in the thread that was traced?
    </Empty>
  );
}

/** The whole file at a glance: where the numbers and the hits are. */
function Minimap({ rows, pattern }: { rows: Row[]; pattern: RegExp | null }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const metric = state.metric.value;
  const dark = state.darkNow.value;
  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    const style = getComputedStyle(document.documentElement);
    const height = element.clientHeight;
    element.width = 14;
    element.height = height;
    const whole = Math.max(1, Math.abs(state.sums.value.all[metric] ?? 0));
    rows.forEach((row, index) => {
      if (row.type !== "line") return;
      const y = (index / rows.length) * height;
      const value = Math.abs(row.place?.self[metric] ?? 0);
      if (value > 0) {
        context.fillStyle = style.getPropertyValue("--cap");
        context.fillRect(0, y, Math.max(2, (14 * value) / whole), Math.max(2, height / rows.length));
      }
      if (pattern?.test(row.text.map((token) => token.text).join(""))) {
        context.fillStyle = style.getPropertyValue("--hit");
        context.fillRect(9, y, 5, Math.max(2, height / rows.length));
      }
    });
  }, [rows.length, metric, pattern?.source, dark, state.sums.value, state.file.value]);
  if (rows.length < 40) return null;
  return (
    <canvas
      class="minimap"
      ref={canvas}
      aria-hidden="true"
      onClick={(event) => {
        const index = Math.floor((event.offsetY / event.currentTarget.clientHeight) * rows.length);
        const row = rows.slice(index).find((one) => one.type === "line");
        if (row?.type === "line") line.value = row.number;
      }}
    />
  );
}
