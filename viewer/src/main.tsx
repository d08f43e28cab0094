import { effect } from "@preact/signals";
import { gunzipSync, strFromU8 } from "fflate";
import { render } from "preact";
import { keepAddress } from "./address";
import { App } from "./app";
import { LoadError, load } from "./load";
import type { Trace } from "./model";
import { heaviestLine } from "./source_view";
import * as state from "./state";

// Reads the trace out of the page and takes over from the static part, which stays if the trace cannot be read.

async function traceText(): Promise<string> {
  const letters = atob(document.getElementById("trace")?.textContent ?? "");
  const bytes = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
  if (typeof DecompressionStream === "undefined") return strFromU8(gunzipSync(bytes));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function traceOfPage(): Promise<Trace> {
  let json: unknown;
  try {
    json = JSON.parse(await traceText());
  } catch {
    throw new LoadError("The trace in this page is damaged");
  }
  return load(json);
}

function fail(error: unknown): void {
  const box = document.getElementById("app");
  if (!box) return;
  const reason = error instanceof LoadError ? error.message : String(error);
  const p = document.createElement("p");
  p.className = "lost";
  p.setAttribute("role", "alert");
  p.textContent = `${reason}. What the page shows without it stands below; to get the rest, write the page again from the trace file.`;
  box.replaceChildren(p);
}

function restoreTheme(): void {
  try {
    const kept = localStorage.getItem("malloc_tracer.theme");
    if (kept === "light" || kept === "dark") state.theme.value = kept;
  } catch {
    // No storage for pages from disk: the system's theme it is.
  }
  state.followMedia();
  const dark = document.getElementById("dark") as HTMLStyleElement;
  effect(() => {
    dark.media = state.darkNow.value ? "screen" : "not all";
  });
}

async function start(): Promise<void> {
  restoreTheme();
  const box = document.getElementById("app");
  if (!box) return;
  try {
    const trace = await traceOfPage();
    state.setTrace(trace);
    document.title = `${trace.name.slice(0, 200)} – malloc_tracer`;
    keepAddress();
    if (state.line.value === 0) state.line.value = heaviestLine(state.file.value);
    render(<App />, box);
    document.getElementById("static")?.remove();
    document.documentElement.dataset.ready = String(performance.now());
  } catch (error) {
    fail(error);
  }
}

void start();
