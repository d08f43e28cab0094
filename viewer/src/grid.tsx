import type { ComponentChildren, VNode } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import * as state from "./state";

// A table of any length that keeps only the rows near the window in the document; short ones are there whole, and so are all on paper.

const WHOLE = 400;
const OVERSCAN = 10;
const ON_PAPER = 3000;

export interface GridProps {
  id: string;
  label: string;
  role: "grid" | "treegrid";
  rows: number;
  rowHeight: number;
  columns: number;
  head: ComponentChildren;
  /** One <tr>; `mark` carries what the grid needs on it. */
  row(index: number, mark: RowMark): VNode;
  selected: number;
  select(index: number): void;
  /** A key that the grid itself does not use; true if it was used. */
  onKey?(event: KeyboardEvent, index: number): boolean;
}

export interface RowMark {
  id: string;
  class: string;
  "aria-rowindex": number;
  "aria-selected": boolean;
}

export function Grid(props: GridProps) {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const { rows, rowHeight, selected } = props;
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => setHeight(element.clientHeight);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  // The selected row comes into view, with a few rows around it.
  useEffect(() => {
    const element = box.current;
    if (!element || selected < 0) return;
    const head = element.querySelector("thead")?.clientHeight ?? 0;
    const at = selected * rowHeight;
    if (at < element.scrollTop || at + rowHeight + head > element.scrollTop + element.clientHeight) {
      element.scrollTop = Math.max(0, at - element.clientHeight / 3);
      setTop(element.scrollTop);
    }
  }, [selected, rowHeight, rows]);
  const whole = rows <= WHOLE || state.printing.value;
  const from = whole ? 0 : Math.max(0, Math.floor(top / rowHeight) - OVERSCAN);
  const to = whole ? Math.min(rows, ON_PAPER) : Math.min(rows, Math.ceil((top + height) / rowHeight) + OVERSCAN);
  const body: VNode[] = [];
  for (let index = from; index < to; index++) {
    body.push(
      props.row(index, {
        id: `${props.id}-${index}`,
        class: index === selected ? "selected" : "",
        "aria-rowindex": index + 2,
        "aria-selected": index === selected,
      }),
    );
  }
  const move = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(height / rowHeight) - 2);
    const steps: Record<string, number> = {
      ArrowUp: -1,
      ArrowDown: 1,
      PageUp: -page,
      PageDown: page,
      Home: -rows,
      End: rows,
    };
    const step = steps[event.key];
    if (step === undefined) {
      if (props.onKey?.(event, selected)) event.preventDefault();
      return;
    }
    event.preventDefault();
    props.select(Math.max(0, Math.min(rows - 1, (selected < 0 ? (step > 0 ? -1 : rows) : selected) + step)));
  };
  return (
    <div class="scroll" ref={box} onScroll={(event) => setTop(event.currentTarget.scrollTop)}>
      <table
        role={props.role}
        aria-label={props.label}
        aria-rowcount={rows + 1}
        aria-colcount={props.columns}
        aria-activedescendant={selected >= from && selected < to ? `${props.id}-${selected}` : undefined}
        tabIndex={0}
        onKeyDown={move}
      >
        <thead>
          <tr aria-rowindex={1}>{props.head}</tr>
        </thead>
        <tbody>
          {from > 0 && (
            <tr class="spacer" aria-hidden="true">
              <td colSpan={props.columns} style={{ height: `${from * rowHeight}px` }} />
            </tr>
          )}
          {body}
          {to < rows && !state.printing.value && (
            <tr class="spacer" aria-hidden="true">
              <td colSpan={props.columns} style={{ height: `${(rows - to) * rowHeight}px` }} />
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}
