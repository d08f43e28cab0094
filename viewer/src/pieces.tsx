import type { ComponentChildren } from "preact";
import { lineName, METRICS } from "./model";
import { percent } from "./numbers";
import * as state from "./state";
import { middleCut, printable, shortPath } from "./text";

// Small parts that several views use.

/** A name of the traced program: never markup, never able to turn the text around it. */
export function Name({ text, limit = 300 }: { text: string; limit?: number }) {
  const whole = printable(text);
  const cut = middleCut(whole, limit);
  return <bdi title={cut === whole ? undefined : middleCut(whole, 10_000)}>{cut}</bdi>;
}

/** A number, its exact value as tooltip, and in a comparison its colour; empty where nothing happened. */
export function Num({ metric, value, nothing = false }: { metric: number; value: number; nothing?: boolean }) {
  if (nothing) return null;
  const sign = state.trace().signed ? (value > 0 ? "grow" : value < 0 ? "shrink" : "") : "";
  const text = state.shown(metric, value);
  // Sizes stand in columns aligned on their unit: "7.9 KiB" above "60 B  ".
  return (
    <span class={`num ${sign}`} title={state.exact(metric, value)}>
      {text.endsWith(" B") ? `${text}\u00a0\u00a0` : text}
    </span>
  );
}

/** Shares of `whole` as a bar. */
export function Lane({ whole, total = 0, self }: { whole: number; total?: number; self: number }) {
  const width = (value: number) => `max(2px, ${whole > 0 ? Math.min(100, (100 * Math.abs(value)) / whole) : 0}%)`;
  return (
    <span class="lane">
      {total !== 0 && <i class="all" style={{ width: width(total) }} />}
      {self !== 0 && <i class="own" style={{ width: width(self) }} />}
    </span>
  );
}

/** A number beside its bar: the share of the scope's own number. */
export function Bar(props: { metric: number; self: number; total: number; own: boolean; nothing: boolean }) {
  const { metric, self, total, own, nothing } = props;
  const whole = Math.abs(barWhole(metric));
  const value = own ? self : total;
  const sign = state.trace().signed ? ((value || total) > 0 ? "grow" : "shrink") : "";
  return (
    <div class={`bar ${sign}`}>
      <Lane whole={whole} total={total} self={self} />
      <Num metric={metric} value={value} nothing={nothing} />
    </div>
  );
}

/** What a full bar stands for: the scope's number; in a comparison all changes together. */
export function barWhole(metric: number): number {
  const { changes, all } = state.sums.value;
  return (state.trace().signed ? changes : all)[metric] ?? 0;
}

/** Of the scope's number; of a change, in relation to what the scope had before. */
export function share(metric: number, value: number): string {
  const whole = state.sums.value.all[metric] ?? 0;
  if (!state.trace().signed) return percent(value, whole);
  const text = percent(value, (state.sumsNow.value.all[metric] ?? 0) - whole);
  return value > 0 && text ? `+${text}` : text;
}

/** All ten numbers, exact, self and total. */
export function TenNumbers({
  self,
  total,
  parent,
}: {
  self: Float64Array;
  total: Float64Array;
  parent?: Float64Array | null;
}) {
  return (
    <table class="ten">
      <thead>
        <tr>
          <th scope="col">number</th>
          <th scope="col">self</th>
          <th scope="col">total</th>
          <th scope="col">{state.trace().signed ? "of scope before" : "of scope"}</th>
          {parent && <th scope="col">of caller</th>}
        </tr>
      </thead>
      <tbody>
        {METRICS.map((metric, index) => (
          <tr key={metric.key} class={index === state.metric.value ? "chosen" : ""}>
            <th scope="row" title={metric.help}>
              {metric.label}
            </th>
            <td>{state.exact(index, self[index] ?? 0)}</td>
            <td>{state.exact(index, total[index] ?? 0)}</td>
            <td>{share(index, total[index] ?? 0)}</td>
            {parent && <td>{percent(total[index] ?? 0, parent[index] ?? 0)}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A link to a line of the source, as an address that can be kept. */
export function Go(props: {
  file: number;
  line: number;
  title?: string;
  current?: boolean;
  children: ComponentChildren;
}) {
  const { file, line } = props;
  return (
    <a
      href={`#v=source&f=${file}&l=${line}`}
      class="place"
      title={props.title}
      aria-current={props.current ? "true" : undefined}
      onClick={(event) => {
        event.preventDefault();
        event.stopPropagation();
        state.goToLine(file, line);
      }}
    >
      {props.children}
    </a>
  );
}

export function Place({ file, line, full = false }: { file: number; line: number; full?: boolean }) {
  const name = state.trace().files[file]?.name ?? "";
  if (name === "<native>") return <span class="muted">&lt;native&gt;</span>;
  const text = full ? name : shortPath(name);
  return (
    <Go file={file} line={line} title={middleCut(printable(name), 500)}>
      <Name text={line ? `${text}:${lineName(line)}` : text} limit={60} />
    </Go>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Pages from disk may have no clipboard: the old way still works there.
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  state.notice.value = `Copied: ${what}.`;
}
