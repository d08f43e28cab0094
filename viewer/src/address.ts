import { batch, effect } from "@preact/signals";
import { METRICS, metricIndex } from "./model";
import * as state from "./state";
import { TABLES, type Table } from "./sums";

// The view's state in the address after #, so that it can be kept and sent, and Back works. Values that do not fit are left out with a notice.

interface Part {
  write(): string;
  read(text: string): boolean;
  reset(): void;
}

function oneOf<T extends string>(signal: { value: T }, values: readonly T[]): Part {
  const standard = signal.value;
  return {
    write: () => (signal.value === standard ? "" : signal.value),
    read: (text) => {
      if (!values.includes(text as T)) return false;
      signal.value = text as T;
      return true;
    },
    reset: () => {
      signal.value = standard;
    },
  };
}

function whole(signal: { value: number }, limit: () => number, radix = 10): Part {
  const standard = signal.value;
  return {
    write: () => (signal.value === standard ? "" : signal.value.toString(radix)),
    read: (text) => {
      const value = /^[0-9a-f]{1,15}$/.test(text) ? Number.parseInt(text, radix) : Number.NaN;
      if (!Number.isInteger(value) || value >= limit()) return false;
      signal.value = value;
      return true;
    },
    reset: () => {
      signal.value = standard;
    },
  };
}

function flag(signal: { value: boolean }): Part {
  const standard = signal.value;
  return {
    write: () => (signal.value === standard ? "" : signal.value ? "1" : "0"),
    read: (text) => {
      if (text !== "0" && text !== "1") return false;
      signal.value = text === "1";
      return true;
    },
    reset: () => {
      signal.value = standard;
    },
  };
}

function parts(): Record<string, Part> {
  const trace = state.trace();
  return {
    v: oneOf(state.view, state.VIEWS),
    f: whole(state.file, () => trace.files.length),
    l: {
      write: () => (state.line.value === 0 ? "" : String(state.line.value)),
      read: (text) => {
        if (!/^-?\d{1,8}$/.test(text)) return false;
        state.line.value = Number(text);
        return true;
      },
      reset: () => {
        state.line.value = 0;
      },
    },
    m: {
      write: () => (state.metric.value === 0 ? "" : (METRICS[state.metric.value]?.key ?? "")),
      read: (text) => {
        const index = metricIndex(text);
        if (index < 0) return false;
        state.metric.value = index;
        return true;
      },
      reset: () => {
        state.metric.value = 0;
      },
    },
    s: flag(state.own),
    z: whole(state.zoom, () => 2 ** 32, 16),
    q: {
      write: () => state.query.value.replace(/\p{Surrogate}/gu, ""),
      read: (text) => {
        state.query.value = text.slice(0, 1000);
        return true;
      },
      reset: () => {
        state.query.value = "";
      },
    },
    th: whole(state.thread, () => trace.threads.length),
    al: whole(state.allocator, () => trace.allocators.length),
    t: oneOf<Table>(state.table, TABLES),
    o: {
      write: () => (state.sortKey.value ? (state.ascending.value ? "" : "-") + state.sortKey.value : ""),
      read: (text) => {
        const key = text.replace(/^-/, "");
        if (key !== "place" && metricIndex(key.replace(/\.total$/, "")) < 0) return false;
        state.sortKey.value = key;
        state.ascending.value = !text.startsWith("-");
        return true;
      },
      reset: () => {
        state.sortKey.value = "";
        state.ascending.value = false;
      },
    },
    i: flag(state.inverted),
    r: flag(state.folded),
    u: flag(state.upright),
    c: oneOf<state.Colouring>(state.colouring, ["kind", "file"]),
    d: whole(state.threshold, () => 1e15),
    x: flag(state.swapped),
    k: {
      write: () => (state.columns.value.join() === "0,2,4,5,8" ? "" : state.columns.value.join(".")),
      read: (text) => {
        const chosen = text.split(".").map(Number);
        if (!chosen.every((index) => METRICS[index])) return false;
        state.columns.value = chosen;
        return true;
      },
      reset: () => {
        state.columns.value = [0, 2, 4, 5, 8];
      },
    },
  };
}

/** Follows the address, and keeps it as the state is. A change of view, file or zoom can be undone with Back. */
export function keepAddress(): void {
  const all = parts();
  const read = () => {
    const unknown: string[] = [];
    const given = new Map<string, string>();
    for (const piece of location.hash.slice(1).split("&").filter(Boolean)) {
      const at = piece.indexOf("=");
      const key = at < 0 ? piece : piece.slice(0, at);
      try {
        given.set(key, decodeURIComponent(at < 0 ? "" : piece.slice(at + 1)));
      } catch {
        unknown.push(key);
      }
    }
    batch(() => {
      for (const [key, part] of Object.entries(all)) {
        const text = given.get(key);
        given.delete(key);
        if (text === undefined) part.reset();
        else if (!part.read(text)) {
          part.reset();
          unknown.push(key);
        }
      }
      unknown.push(...given.keys());
      if (unknown.length > 0) {
        state.notice.value = `The address has parts that this page does not know and leaves out: ${unknown.join(", ").slice(0, 80)}`;
      }
    });
  };
  const write = () =>
    Object.entries(all)
      .map(([key, part]) => [key, part.write()] as const)
      .filter(([, text]) => text !== "")
      .map(([key, text]) => `${key}=${encodeURIComponent(text)}`)
      .join("&");
  const steps = () => [state.view.value, state.file.value, state.zoom.value, state.table.value].join();
  read();
  let last = steps();
  effect(() => {
    const hash = write();
    const now = steps();
    if (hash === location.hash.slice(1)) {
      last = now;
      return;
    }
    const url = hash ? `#${hash}` : location.pathname + location.search;
    if (now === last) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    last = now;
  });
  addEventListener("popstate", read);
}
