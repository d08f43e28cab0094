import { ALLOCATED, COUNT, LIVE, lineText, METRICS, PEAK, REALLOCATED, TEMPORARY } from "./model";
import { count, duration, percent, size } from "./numbers";
import { barWhole, Empty, Lane, Name, Num, Place, share } from "./pieces";
import * as state from "./state";
import type { Place as PlaceRow, Table } from "./sums";
import { printable } from "./text";

// The scope at a glance: its numbers, how live bytes went, what the peak was made of, and what is known of the run.

function showTable(table: Table, metric: number): void {
  state.metric.value = metric;
  state.own.value = true;
  state.sortKey.value = "";
  state.ascending.value = false;
  state.table.value = table;
  state.view.value = "tables";
}

const CARDS: [number, string][] = [
  [LIVE, "live"],
  [PEAK, "peak"],
  [ALLOCATED, "allocated"],
  [6, "freed"],
  [COUNT, "blocks allocated"],
  [TEMPORARY, "temporary"],
  [REALLOCATED, "reallocated"],
];

function Cards() {
  const { all } = state.sums.value;
  return (
    <ul class="cards">
      {CARDS.map(([metric, title]) => (
        <li key={metric}>
          <button type="button" onClick={() => showTable("lines", metric)} title={METRICS[metric]?.help}>
            <span>{title}</span> <b>{state.shown(metric, all[metric] ?? 0)}</b>{" "}
            <small>
              {METRICS[metric]?.unit === "bytes"
                ? `in ${state.shown(metric + 1, all[metric + 1] ?? 0)} blocks`
                : state.trace().signed || metric === COUNT
                  ? ""
                  : percent(all[metric] ?? 0, all[COUNT] ?? 0)}
            </small>
          </button>
        </li>
      ))}
    </ul>
  );
}

const WIDTH = 960;
const HEIGHT = 160;

/** Live bytes over time; the peak is marked. */
function Timeline() {
  const { ns, bytes } = state.trace().timeline;
  if (ns.length < 2) return <Empty>There are too few events for a picture of live bytes over time.</Empty>;
  const most = Math.max(...bytes, 1);
  const least = Math.min(...bytes, 0);
  const end = Math.max(state.trace().durationNs, ns[ns.length - 1] ?? 1, 1);
  const x = (at: number) => (at / end) * WIDTH;
  const y = (value: number) => HEIGHT - ((value - least) / (most - least)) * (HEIGHT - 16);
  const peak = bytes.indexOf(Math.max(...bytes));
  const peakX = x(ns[peak] ?? 0);
  // Live bytes stay as they are until the next event: steps, not slopes.
  const line = Array.from(
    ns,
    (at, index) =>
      `${index > 0 ? `H${x(at).toFixed(1)}` : `M${x(at).toFixed(1)},${HEIGHT}`}V${y(bytes[index] ?? 0).toFixed(1)}`,
  ).join("");
  const text = `${size(bytes[peak] ?? 0)} at ${duration(ns[peak] ?? 0)}`;
  return (
    <figure>
      <figcaption>
        <span style={{ left: `${(100 * peakX) / WIDTH}%`, transform: `translateX(${(-100 * peakX) / WIDTH}%)` }}>
          <b>peak</b> {text}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`Live bytes over time. Highest: ${text}.`}
        preserveAspectRatio="none"
      >
        <path class="area" d={`${line}H${WIDTH}V${HEIGHT}Z`} />
        <line class="peak" x1={peakX} x2={peakX} y1={0} y2={HEIGHT} />
      </svg>
      <p class="axis">
        <span>0</span>
        <span>{duration(end)}</span>
      </p>
    </figure>
  );
}

/** The sizes of so many bits: from 1 KiB on "1–2 KiB" stands for 1,024 to 2,047 bytes. And in full. */
function sizesOf(bits: number): [string, string] {
  if (bits < 2) return [size(bits), size(bits)];
  const least = 2 ** (bits - 1);
  const steps = Math.min(4, Math.floor((bits - 1) / 10));
  const unit = 1024 ** steps;
  const text =
    steps === 0
      ? `${least}–${2 * least - 1} B`
      : `${least / unit}–${(2 * least) / unit} ${size(unit).replace(/^1\.0 /, "")}`;
  return [text, `${count(least)} to below ${count(2 * least)} B`];
}

function BlockSizes() {
  const { blockSizes, signed } = state.trace();
  const used = Array.from(blockSizes, (blocks, bits) => (blocks === 0 ? -1 : bits)).filter((bits) => bits >= 0);
  const first = used[0];
  const last = used[used.length - 1];
  if (first === undefined || last === undefined) return null;
  const sign = state.swapped.value ? -1 : 1;
  const rows = Array.from(blockSizes.subarray(first, last + 1), (blocks, row) => ({
    blocks: sign * blocks,
    bits: first + row,
  }));
  const most = Math.max(...rows.map((row) => Math.abs(row.blocks)));
  const all = rows.reduce((sum, row) => sum + row.blocks, 0);
  return (
    <section>
      <h2>Blocks by size {state.filtersActive() && <small class="muted">of all threads and allocators</small>}</h2>
      <table class="bars-table sizes">
        <thead>
          <tr>
            <th scope="col">size of block</th>
            <th scope="col" class="bars">
              blocks allocated
            </th>
            {!signed && (
              <th scope="col" class="n">
                share
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ blocks, bits }) => {
            const [text, exact] = sizesOf(bits);
            return (
              <tr key={bits}>
                <th scope="row" title={exact}>
                  {text}
                </th>
                <td class="bars">
                  <div class={`bar ${signed ? (blocks > 0 ? "grow" : "shrink") : ""}`}>
                    <Lane whole={most} self={blocks} />
                    <span class="num">{state.shown(COUNT, blocks)}</span>
                  </div>
                </td>
                {!signed && <td class="n">{percent(blocks, all)}</td>}
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

/** The `limit` rows whose number is largest, how many more have one, and the sum of those. Tables have tens of thousands of rows. */
function largest(rows: PlaceRow[], value: (row: PlaceRow) => number, limit: number) {
  const first: PlaceRow[] = [];
  let others = 0;
  let rest = 0;
  for (const row of rows) {
    const number = value(row);
    if (number === 0) continue;
    let at = first.length;
    while (at > 0 && Math.abs(value(first[at - 1] as PlaceRow)) < Math.abs(number)) at--;
    first.splice(at, 0, row);
    if (first.length <= limit) continue;
    others++;
    rest += value(first.pop() as PlaceRow);
  }
  return { first, others, rest };
}

/** The first rows of a table by one number, with bars; what is left is one row more. */
function Top({ title, table, metric, rows = 5 }: { title: string; table: Table; metric: number; rows?: number }) {
  const trace = state.trace();
  const value = (row: PlaceRow) => row.self[metric] ?? 0;
  const { first, others, rest } = largest(state.sums.value.tables[table], value, rows);
  const whole = Math.abs(barWhole(metric));
  return (
    <section>
      <h2>
        <button type="button" class="link" onClick={() => showTable(table, metric)}>
          {title}
        </button>
      </h2>
      {first.length === 0 ? (
        <p class="muted">None.</p>
      ) : (
        <table class="bars-table">
          <thead class="hidden">
            <tr>
              <th scope="col">{METRICS[metric]?.label}</th>
              <th scope="col">share</th>
              <th scope="col">place</th>
            </tr>
          </thead>
          <tbody>
            {first.map((row) => {
              const code = lineText(trace, row.file, row.line)?.trim();
              const sign = trace.signed ? (value(row) > 0 ? "grow" : "shrink") : "";
              return (
                <tr key={row.id}>
                  <td class="bars">
                    <div class={`bar ${sign}`}>
                      <Lane whole={whole} self={value(row)} />
                      <Num metric={metric} value={value(row)} />
                    </div>
                  </td>
                  <td class="n">{trace.signed ? state.fate(row.sides, value(row)) : share(metric, value(row))}</td>
                  <td class="name">
                    {row.file < 0 ? <Name text={row.function} /> : <Place file={row.file} line={row.line} />}{" "}
                    {table === "lines" && row.line !== 0 && (
                      <code>
                        <Name text={code || row.function} limit={80} />
                      </code>
                    )}
                    {table === "functions" && trace.files[row.file]?.kind !== "native" && (
                      <Name text={row.function} limit={80} />
                    )}
                  </td>
                </tr>
              );
            })}
            {others > 0 && (
              <tr>
                <td class="bars">
                  <div class="bar">
                    <Num metric={metric} value={rest} />
                  </div>
                </td>
                <td class="n">{trace.signed ? "" : share(metric, rest)}</td>
                <td class="name muted">{count(others)} more</td>
              </tr>
            )}
          </tbody>
        </table>
      )}
    </section>
  );
}

function Run() {
  const trace = state.trace();
  const facts: [string, string][] = [
    [
      "made",
      trace.timeMs > 0
        ? new Date(trace.timeMs).toISOString().replace("T", " ").slice(0, 19).concat(" UTC")
        : "not known",
    ],
    [
      "duration",
      trace.signed
        ? `${duration(Math.abs(trace.durationNs))} ${trace.durationNs < 0 ? "less" : "more"}`
        : duration(trace.durationNs),
    ],
    ["Python", trace.pythonVersion || "none, or different ones"],
    ["lost", trace.lost.length === 0 ? "nothing: every event is in the numbers" : "see above"],
    ["frames", `${count(trace.nodeFrame.length - 1)} nodes in ${count(trace.files.length)} files`],
    ["written by", printable(trace.writer)],
  ];
  return (
    <dl>
      {facts.map(([name, text]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
      <div>
        <dt>command</dt>
        <dd class="command">
          {trace.command.length > 200 ? (
            <details>
              <summary>
                <Name text={`${trace.command.slice(0, 200)}…`} />
              </summary>
              <Name text={trace.command} limit={100_000} />
            </details>
          ) : (
            <Name text={trace.command || "not known"} />
          )}
        </dd>
      </div>
    </dl>
  );
}

export function Lost() {
  const { lost } = state.trace();
  if (lost.length === 0) return null;
  return (
    <p class="lost">
      <b>Lost:</b> {lost.map(([what, times]) => `${printable(what)}: ${count(times)}`).join("; ")}. The numbers are too
      low by these events.
    </p>
  );
}

export function SummaryView() {
  const trace = state.trace();
  return (
    <div class="summary">
      <Cards />
      {!trace.signed && (
        <section class="wide-section">
          <h2>Live bytes over time</h2>
          <Timeline />
        </section>
      )}
      <div class="columns">
        <Top
          title={trace.signed ? "Change of the peak, by line" : "What the peak was made of"}
          table="lines"
          metric={PEAK}
          rows={8}
        />
        <Top title="Live, by line" table="lines" metric={LIVE} />
        <Top title="Allocated, by line" table="lines" metric={ALLOCATED} />
        <Top title="Blocks, by line" table="lines" metric={COUNT} />
        <Top title="Temporary blocks, by line" table="lines" metric={TEMPORARY} />
        <Top title="Allocated, by function" table="functions" metric={ALLOCATED} />
        <Top title="Allocated, by thread" table="threads" metric={ALLOCATED} />
        <Top title="Allocated, by allocator" table="allocators" metric={ALLOCATED} rows={7} />
        <BlockSizes />
        <section>
          <h2>Run</h2>
          <Run />
        </section>
      </div>
    </div>
  );
}
