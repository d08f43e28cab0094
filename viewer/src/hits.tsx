import { computed } from "@preact/signals";
import { lineName, lineText } from "./model";
import { count, percent } from "./numbers";
import * as state from "./state";
import { matcher, shortPath } from "./text";

// What frames are called, and which of them the search finds: the same for flame graph and tree.

/** The frames that the search finds, by frame number. */
export const hits = computed<Uint8Array | null>(() => {
  if (!state.query.value) return null;
  const trace = state.trace();
  const pattern = matcher(state.query.value);
  return Uint8Array.from(trace.frames, (_, index) =>
    pattern.test(`${frameName(index)} ${frameLabel(index)}`) ? 1 : 0,
  );
});

export function frameName(index: number): string {
  const frame = state.trace().frames[index];
  if (index <= 0 || !frame) return index < 0 ? state.trace().name : "<native>";
  return `${frame.function} ${shortPath(state.trace().files[frame.file]?.name ?? "")}:${lineName(frame.line)}`;
}

/** The source line where there is one: it says more than the function's name. */
export function frameLabel(index: number): string {
  const frame = state.trace().frames[index];
  if (!frame) return "";
  return lineText(state.trace(), frame.file, frame.line)?.trim() ?? "";
}

/** What the found frames hold together: each byte once, however many found frames stand on its stack. */
export function HitShare({ found, step }: { found: Uint8Array; step: (direction: 1 | -1) => void }) {
  const trace = state.trace();
  const metric = state.metric.value;
  const column = (state.sums.value.weight ?? state.sums.value.total)[metric];
  let frames = 0;
  let value = 0;
  for (let node = 1; node < trace.nodeFrame.length; ) {
    if (found[trace.nodeFrame[node] as number]) {
      frames++;
      value += column?.[node] ?? 0;
      node = trace.nodeEnd[node] as number;
    } else node++;
  }
  return (
    <span role="status">
      {frames === 0
        ? "No frame is found. Change the search, or clear it."
        : `${count(frames)} found: ${state.plain(metric, value)}, ${percent(value, column?.[0] ?? 0)}`}
      {frames > 0 && (
        <>
          {" "}
          <button type="button" onClick={() => step(-1)}>
            Previous
          </button>{" "}
          <button type="button" onClick={() => step(1)}>
            Next
          </button>
        </>
      )}
    </span>
  );
}
