import { computed, signal } from "@preact/signals";
import type { VNode } from "preact";
import { Grid, type RowMark } from "./grid";
import { lineName, lineText, METRICS } from "./model";
import { count, percent } from "./numbers";
import { Bar, barWhole, copy, Empty, Name, Num, Place } from "./pieces";
import * as state from "./state";
import { type Place as PlaceRow, TABLES, type Table } from "./sums";
import { csv, matcher } from "./text";

// Lines, functions, files, threads and allocators as tables that can be sorted, searched and copied.

const ROW = 24;
const selected = signal(-1);

const NAMES: Record<Table, string> = {
  lines: "Lines",
  functions: "Functions",
  files: "Files",
  threads: "Threads",
  allocators: "Allocators",
};

function fileName(row: PlaceRow): string {
  return state.trace().files[row.file]?.name ?? "";
}

function sourceText(row: PlaceRow): string {
  return lineText(state.trace(), row.file, row.line)?.trim() ?? "";
}

function searchText(row: PlaceRow): string {
  return `${row.function} ${fileName(row)}${row.line ? `:${lineName(row.line)}` : ""} ${sourceText(row)}`;
}

/** The rows that pass search and threshold, in order. */
function visibleRows(): PlaceRow[] {
  const metric = state.metric.value;
  const pattern = state.query.value ? matcher(state.query.value) : null;
  const rows = state.sums.value.tables[state.table.value].filter(
    (row) =>
      (!pattern || pattern.test(searchText(row))) &&
      Math.abs((state.own.value ? row.self : row.total)[metric] ?? 0) >= state.threshold.value,
  );
  const key = state.sortKey.value;
  const sign = state.ascending.value ? 1 : -1;
  if (key === "place") {
    return rows.sort(
      (a, b) => sign * (compare(fileName(a), fileName(b)) || a.line - b.line || compare(a.function, b.function)),
    );
  }
  const found = state.metricIndex(key.replace(/\.total$/, ""));
  const column = found < 0 ? metric : found;
  const total = key.endsWith(".total") || !state.own.value;
  // In a comparison the largest change comes first, whatever its sign.
  const value = (row: PlaceRow) => {
    const one = (total ? row.total : row.self)[column] ?? 0;
    return state.trace().signed ? Math.abs(one) : one;
  };
  const total2 = (row: PlaceRow) => Math.abs(row.total[column] ?? 0);
  return rows.sort((a, b) => sign * (value(a) - value(b)) || total2(b) - total2(a) || a.id - b.id);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function asCsv(rows: PlaceRow[]): string {
  const head = ["function", "file", "line", ...METRICS.flatMap(({ key }) => [`${key}.self`, `${key}.total`])];
  const body = rows.map((row) => [
    row.function,
    fileName(row),
    row.line || "",
    ...METRICS.flatMap((_, metric) => [row.self[metric] ?? 0, row.total[metric] ?? 0]),
  ]);
  return csv([head, ...body]);
}

function sortBy(key: string): void {
  if (state.sortKey.value === key) state.ascending.value = !state.ascending.value;
  else {
    state.sortKey.value = key;
    state.ascending.value = key === "place";
  }
}

function Head({ of, label, name, help }: { of: string; label: string; name: string; help?: string | undefined }) {
  const key = state.sortKey.value || METRICS[state.metric.value]?.key;
  const direction = key === of ? (state.ascending.value ? "ascending" : "descending") : undefined;
  return (
    <th scope="col" class={name} aria-sort={direction} title={help}>
      <button type="button" onClick={() => sortBy(of)}>
        {label}
        {direction && <i class={`arrow ${direction}`} />}
      </button>
    </th>
  );
}

export function showLine(file: number, line: number): void {
  state.view.value = "tables";
  state.table.value = "lines";
  const at = () => visibleRows().findIndex((row) => row.file === file && row.line === line);
  selected.value = at();
  if (selected.value >= 0) return;
  state.query.value = "";
  state.threshold.value = 0;
  selected.value = at();
}

/** The next row of the table; all rows that are shown are hits. */
export function step(direction: 1 | -1): void {
  const rows = visibleRows().length;
  if (rows > 0) selected.value = (Math.max(selected.value, direction > 0 ? -1 : 0) + direction + rows) % rows;
}

export function TablesView() {
  const table = state.table.value;
  const rows = visibleRows();
  const metric = state.metric.value;
  const others = METRICS.map((_, index) => index).filter((index) => index !== metric);
  const all = state.sums.value.tables[table];
  const selfOf = (list: PlaceRow[]) => list.reduce((sum, row) => sum + (row.self[metric] ?? 0), 0);
  const hidden = selfOf(all) - selfOf(rows);
  const withPlace = table === "lines" || table === "functions" || table === "files";
  const open = (row: PlaceRow) => {
    if (table === "threads") state.thread.value = row.id;
    else if (table === "allocators") state.allocator.value = row.id;
    else state.goToLine(row.file, row.line || firstLine(row));
  };
  const row = (index: number, mark: RowMark): VNode => {
    const one = rows[index] as PlaceRow;
    return (
      <tr
        {...mark}
        key={one.id}
        onClick={() => {
          selected.value = index;
        }}
        onDblClick={() => open(one)}
      >
        <td class="name">
          {withPlace ? (
            <>
              {table === "lines" && one.line !== 0 && (
                <>
                  <code>
                    <Name text={sourceText(one) || one.function} limit={70} />
                  </code>{" "}
                </>
              )}
              {table === "functions" && state.trace().files[one.file]?.kind !== "native" && (
                <>
                  <Name text={one.function} limit={70} />{" "}
                </>
              )}
              <Place file={one.file} line={one.line || firstLine(one)} full={table === "files"} />
            </>
          ) : (
            <Name text={one.function} limit={70} />
          )}
        </td>
        <td class="bars">
          <Bar metric={metric} self={one.self[metric] ?? 0} total={one.total[metric] ?? 0} own={true} nothing={false} />
        </td>
        <td class="n">
          <Num metric={metric} value={one.total[metric] ?? 0} />
        </td>
        {others.map((other) => (
          <td key={other} class="n">
            <Num metric={other} value={(state.own.value ? one.self : one.total)[other] ?? 0} />
          </td>
        ))}
      </tr>
    );
  };
  return (
    <div class="tables">
      <div class="tools">
        <div role="group" aria-label="Table" class="segments">
          {TABLES.map((name) => (
            <button
              key={name}
              type="button"
              aria-pressed={name === table}
              onClick={() => {
                state.table.value = name;
                selected.value = -1;
              }}
            >
              {NAMES[name]} <span class="muted">{count(state.sums.value.tables[name].length)}</span>
            </button>
          ))}
        </div>
        <span role="status">
          {count(rows.length)} rows,{" "}
          {percent(selfOf(rows), state.trace().signed ? barWhole(metric) : (state.sums.value.all[metric] ?? 0)) ||
            "0 %"}{" "}
          of {METRICS[metric]?.label}
        </span>
        {rows.length < all.length && (
          <span class="chip">
            {count(all.length - rows.length)} rows hidden, {state.shown(metric, hidden)} self{" "}
            <button
              type="button"
              aria-label="Show all rows"
              onClick={() => {
                state.query.value = "";
                state.threshold.value = 0;
              }}
            >
              ×
            </button>
          </span>
        )}
        <button
          type="button"
          onClick={() => void copy(asCsv(rows), `${count(rows.length)} rows as CSV, exact numbers`)}
        >
          Copy as CSV
        </button>
      </div>
      {rows.length === 0 ? (
        <Empty>
          {all.length === 0 ? (
            "Nothing was allocated here under the filters."
          ) : (
            <>
              The search or the threshold hides every row.{" "}
              <button type="button" onClick={state.clearFilters}>
                Clear all filters
              </button>
            </>
          )}
        </Empty>
      ) : (
        <Grid
          id="r"
          role="grid"
          label={NAMES[table]}
          rows={rows.length}
          rowHeight={ROW}
          columns={METRICS.length + 2}
          selected={selected.value}
          select={(index) => {
            selected.value = index;
          }}
          onKey={(event, index) => {
            const one = rows[index];
            if (!one) return false;
            if (event.key === "Enter") open(one);
            else if (event.key === "c" && !state.keysOff.value) void copy(asCsv([one]), "the row as CSV");
            else return false;
            return true;
          }}
          row={row}
          head={
            <>
              <Head of="place" label={withPlace ? "place" : "name"} name="name" />
              <Head
                of={METRICS[metric]?.key ?? ""}
                label={`${METRICS[metric]?.label} self`}
                name="bars"
                help={METRICS[metric]?.help}
              />
              <Head of={`${METRICS[metric]?.key}.total`} label={`${METRICS[metric]?.label} total`} name="n" />
              {others.map((other) => (
                <Head
                  key={other}
                  of={METRICS[other]?.key ?? ""}
                  label={METRICS[other]?.label ?? ""}
                  name="n"
                  help={METRICS[other]?.help}
                />
              ))}
            </>
          }
        />
      )}
    </div>
  );
}

/** Where a function or file is entered in the source: its line with the largest total. */
const entries = computed(() => {
  const metric = state.metric.value;
  const best = new Map<string, PlaceRow>();
  for (const one of state.sums.value.tables.lines) {
    for (const key of [`${one.file}`, `${one.file}\t${one.function}`]) {
      const known = best.get(key);
      if (!known || Math.abs(one.total[metric] ?? 0) > Math.abs(known.total[metric] ?? 0)) best.set(key, one);
    }
  }
  return best;
});

function firstLine(row: PlaceRow): number {
  return entries.value.get(row.function ? `${row.file}\t${row.function}` : `${row.file}`)?.line ?? 0;
}
