import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import * as flame from "./flame_view";
import { FlameView } from "./flame_view";
import { ALLOCATED, COUNT, LIVE, METRICS, PEAK } from "./model";
import { count, duration, size } from "./numbers";
import { Name, share } from "./pieces";
import * as source from "./source_view";
import { SourceView } from "./source_view";
import * as state from "./state";
import { Lost, SummaryView } from "./summary_view";
import * as tables from "./tables_view";
import { TablesView } from "./tables_view";
import { middleCut, printable } from "./text";
import * as treeView from "./tree_view";
import { TreeView } from "./tree_view";

const TITLES: Record<state.View, string> = {
  source: "Source",
  flame: "Flame",
  tree: "Tree",
  tables: "Tables",
  summary: "Summary",
};
const BODIES = { source: SourceView, flame: FlameView, tree: TreeView, tables: TablesView, summary: SummaryView };
const STEPS = { source: source.step, flame: flame.step, tree: treeView.step, tables: tables.step, summary: () => {} };

const KEYS: [string, string][] = [
  ["1 – 5", "Source, Flame, Tree, Tables, Summary"],
  ["/", "search; regular expressions work"],
  ["n, N", "next, previous hit; in Source without a search the next line with numbers"],
  ["g", "the heaviest line of the file"],
  ["[ , ]", "previous, next file"],
  ["m, M", "next, previous number"],
  ["s", "self or total"],
  ["arrows", "move; in Flame to caller, heaviest callee and siblings; in Tree also open and close"],
  ["Enter", "open callers and callees of a line; zoom into a frame, then its source; open a row's source"],
  ["Backspace, Esc", "zoom out; close this"],
  ["0", "whole flame graph"],
  ["i", "invert: innermost frames first"],
  ["r", "fold or unfold recursion"],
  ["c", "copy the line, the stack or the row, with exact numbers"],
  ["?", "this list"],
];

function Header() {
  const trace = state.trace();
  const all = state.sums.value.all;
  const fact = (metric: number, blocks: number) => {
    const value = state.shown(metric, all[metric] ?? 0);
    if (trace.signed) return `${value} (${share(metric, all[metric] ?? 0) || "new"})`;
    return blocks ? `${value} in ${state.shown(blocks, all[blocks] ?? 0)}` : value;
  };
  return (
    <header>
      <h1>
        <span class="muted">malloc_tracer</span> {trace.signed && "difference: "}
        <Name text={trace.name} limit={100} />
      </h1>
      <p
        class="totals"
        title={METRICS.map((metric, index) => `${metric.label} ${state.exact(index, all[index] ?? 0)}`).join("\n")}
      >
        <span>
          live <b>{fact(LIVE, 1)}</b>
        </span>
        <span>
          peak <b>{fact(PEAK, 0)}</b>
        </span>
        <span>
          allocated <b>{fact(ALLOCATED, COUNT)}</b>
        </span>
        <span>
          {trace.signed && (trace.durationNs < 0 ? "−" : "+")}
          {duration(Math.abs(trace.durationNs))}
        </span>
      </p>
      {trace.signed && (
        <p class="muted signed">
          Every number is a change, {state.swapped.value ? "before minus now" : "now minus before"}:{" "}
          <b class="grow">+ grown</b> <b class="shrink">− shrunk</b>
        </p>
      )}
      <div class="search">
        <label>
          <span class="hidden">Search</span>
          <input
            id="search"
            type="search"
            placeholder="search: text or regular expression"
            value={state.query.value}
            onInput={(event) => (state.query.value = event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter") STEPS[state.view.value](event.shiftKey ? -1 : 1);
              if (event.key === "Escape") event.currentTarget.blur();
            }}
          />
        </label>
        <button type="button" title="Keys and words (?)" onClick={() => (state.helpOpen.value = true)}>
          Help
        </button>
        <ThemeButton />
      </div>
    </header>
  );
}

function ThemeButton() {
  const next: Record<state.Theme, state.Theme> = { system: "light", light: "dark", dark: "system" };
  return (
    <button
      type="button"
      onClick={() => {
        state.theme.value = next[state.theme.value];
        try {
          localStorage.setItem("malloc_tracer.theme", state.theme.value);
        } catch {
          // Pages from disk may have no storage; then the choice lasts as long as the page.
        }
      }}
    >
      Theme: {state.theme.value}
    </button>
  );
}

function Tabs() {
  const trace = state.trace();
  const move = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    const index = (state.VIEWS.indexOf(state.view.value) + by + state.VIEWS.length) % state.VIEWS.length;
    state.view.value = state.VIEWS[index] as state.View;
    document.getElementById(`tab-${state.view.value}`)?.focus();
  };
  return (
    <div class="controls">
      <div role="tablist" aria-label="Views" onKeyDown={move}>
        {state.VIEWS.map((view, index) => (
          <button
            key={view}
            id={`tab-${view}`}
            type="button"
            role="tab"
            aria-selected={state.view.value === view}
            aria-controls="view"
            tabIndex={state.view.value === view ? 0 : -1}
            onClick={() => (state.view.value = view)}
          >
            <kbd>{index + 1}</kbd> {TITLES[view]}
          </button>
        ))}
      </div>
      <label>
        number{" "}
        <select
          id="metric"
          aria-label="number"
          value={state.metric.value}
          onChange={(event) => (state.metric.value = Number(event.currentTarget.value))}
        >
          {METRICS.map((metric, index) => (
            <option key={metric.key} value={index}>
              {metric.label}
            </option>
          ))}
        </select>
      </label>
      <div role="group" aria-label="Self or total" class="segments">
        <button
          type="button"
          aria-pressed={state.own.value}
          title="The innermost frame is this line"
          onClick={() => (state.own.value = true)}
        >
          self
        </button>
        <button
          type="button"
          aria-pressed={!state.own.value}
          title="This line or anything it called"
          onClick={() => (state.own.value = false)}
        >
          total
        </button>
      </div>
      {trace.threads.length > 1 && (
        <Choice label="threads" signal={state.thread} names={trace.threads.map((one) => `${one.name} (${one.id})`)} />
      )}
      {trace.allocators.length > 1 && <Choice label="allocators" signal={state.allocator} names={trace.allocators} />}
      {state.view.value === "source" && <Columns />}
      {trace.signed && <Changes />}
    </div>
  );
}

function Choice({ label, signal, names }: { label: string; signal: { value: number }; names: string[] }) {
  return (
    <label>
      {label}{" "}
      <select
        aria-label={label}
        value={signal.value}
        onChange={(event) => (signal.value = Number(event.currentTarget.value))}
      >
        <option value={-1}>all</option>
        {names.map((name, index) => (
          <option key={index} value={index}>
            {middleCut(printable(name), 60)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Which numbers stand beside the source. */
function Columns() {
  return (
    <details class="menu">
      <summary>columns</summary>
      <fieldset>
        <legend>Columns of the source</legend>
        {METRICS.map((metric, index) => (
          <label key={metric.key} class="check" title={metric.help}>
            <input
              type="checkbox"
              checked={state.columns.value.includes(index)}
              onChange={(event) => {
                const rest = state.columns.value.filter((one) => one !== index);
                state.columns.value = event.currentTarget.checked ? [...rest, index].sort((a, b) => a - b) : rest;
              }}
            />{" "}
            {metric.label}
          </label>
        ))}
      </fieldset>
    </details>
  );
}

function Changes() {
  const steps = [0, 1, 1024, 10_240, 102_400, 1_048_576, 10_485_760];
  return (
    <>
      <label>
        hide changes below{" "}
        <select
          aria-label="hide changes below"
          value={state.threshold.value}
          onChange={(event) => (state.threshold.value = Number(event.currentTarget.value))}
        >
          {[...new Set([...steps, state.threshold.value])].map((step) => (
            <option key={step} value={step}>
              {METRICS[state.metric.value]?.unit === "bytes" ? size(step) : count(step)}
            </option>
          ))}
        </select>
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={state.swapped.value}
          onChange={(event) => (state.swapped.value = event.currentTarget.checked)}
        />{" "}
        swap
      </label>
    </>
  );
}

/** What the filters leave out, each with its size and a way to take it off. */
function Chips() {
  if (!state.filtersActive()) return null;
  const trace = state.trace();
  const metric = state.metric.value;
  const hidden = (trace.totals[metric] ?? 0) * (state.swapped.value ? -1 : 1) - (state.sums.value.all[metric] ?? 0);
  const names = [trace.threads[state.thread.value]?.name, trace.allocators[state.allocator.value]].filter(
    (name) => name !== undefined,
  );
  return (
    <p class="chip">
      only <Name text={names.join(", ")} limit={80} />: {state.shown(metric, hidden)} {METRICS[metric]?.label} hidden{" "}
      <button
        type="button"
        aria-label="Clear filters"
        onClick={() => {
          state.thread.value = -1;
          state.allocator.value = -1;
        }}
      >
        ×
      </button>
    </p>
  );
}

function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = state.helpOpen.value;
  useEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} aria-labelledby="help-title" onClose={() => (state.helpOpen.value = false)}>
      <h2 id="help-title">Keys and words</h2>
      <label class="check">
        <input
          type="checkbox"
          checked={state.keysOff.value}
          onChange={(event) => (state.keysOff.value = event.currentTarget.checked)}
        />{" "}
        single-key shortcuts off
      </label>
      <dl class="keys">
        {KEYS.map(([key, text]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{text}</dd>
          </div>
        ))}
        {METRICS.map((metric) => (
          <div key={metric.key}>
            <dt>{metric.label}</dt>
            <dd>{metric.help}</dd>
          </div>
        ))}
        <div>
          <dt>self</dt>
          <dd>The innermost frame is this line.</dd>
        </div>
        <div>
          <dt>total</dt>
          <dd>This line or anything it called; a block counts once, however often the line stands on its stack.</dd>
        </div>
        <div>
          <dt>KiB, MiB</dt>
          <dd>1,024 and 1,048,576 bytes, of what the program asked for.</dd>
        </div>
      </dl>
      <button type="button" onClick={() => (state.helpOpen.value = false)}>
        Close
      </button>
    </dialog>
  );
}

function moveFile(by: number): void {
  const files = source.filesInOrder().flatMap((group) => group.files.map((one) => one.file));
  const next = files[(files.indexOf(state.file.value) + by + files.length) % files.length];
  if (next === undefined) return;
  state.file.value = next;
  state.line.value = source.heaviestLine(next);
}

function onKey(event: KeyboardEvent): void {
  const target = event.target as HTMLElement;
  const typing = target.matches?.("input:not([type=checkbox]), textarea, select");
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || typing || state.helpOpen.value)
    return;
  if (event.key === "Escape" && state.view.value === "flame") flame.zoomOut();
  if (state.keysOff.value) return;
  const step = STEPS[state.view.value];
  const number = METRICS.length;
  const actions: Record<string, () => void> = {
    "/": () => document.getElementById("search")?.focus(),
    n: () => step(1),
    N: () => step(-1),
    g: () => {
      state.view.value = "source";
      state.line.value = source.heaviestLine(state.file.value);
    },
    "[": () => moveFile(-1),
    "]": () => moveFile(1),
    m: () => (state.metric.value = (state.metric.value + 1) % number),
    M: () => (state.metric.value = (state.metric.value + number - 1) % number),
    s: () => (state.own.value = !state.own.value),
    i: () => (state.inverted.value = !state.inverted.value),
    r: () => (state.folded.value = !state.folded.value),
    "0": () => flame.resetZoom(),
    "?": () => (state.helpOpen.value = true),
  };
  const view = state.VIEWS[Number(event.key) - 1];
  const action = view ? () => (state.view.value = view) : actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function Notice({ children }: { children: ComponentChildren }) {
  return (
    <p class="notice">
      {children}{" "}
      <button type="button" aria-label="Close the notice" onClick={() => (state.notice.value = "")}>
        ×
      </button>
    </p>
  );
}

export function App() {
  const trace = state.trace();
  const Body = BODIES[state.view.value];
  useEffect(() => {
    addEventListener("keydown", onKey);
    const before = () => (state.printing.value = true);
    const after = () => (state.printing.value = false);
    addEventListener("beforeprint", before);
    addEventListener("afterprint", after);
    return () => {
      removeEventListener("keydown", onKey);
      removeEventListener("beforeprint", before);
      removeEventListener("afterprint", after);
    };
  }, []);
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById("view")?.focus()}>
        To the view
      </button>
      <Header />
      <nav aria-label="View and numbers">
        <Tabs />
      </nav>
      <main>
        <Lost />
        {trace.signed && state.sums.value.changes.every((change) => change === 0) && (
          <p class="notice">
            No difference: every number of every line is the same in both traces. Choose other traces, or clear the
            filters.
          </p>
        )}
        <Chips />
        {state.notice.value && <Notice>{state.notice.value}</Notice>}
        <div id="view" role="tabpanel" aria-labelledby={`tab-${state.view.value}`} tabIndex={-1}>
          <Body />
        </div>
      </main>
      <p class="hidden" role="status" aria-live="polite">
        {state.spoken.value}
      </p>
      <Help />
    </>
  );
}
