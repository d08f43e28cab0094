// How long a page takes to open, view by view: from the start of the navigation until the view is drawn, in milliseconds; and to draw the
// flame graph anew.
// `npm run measure` opens a made-up trace of 100,000 nodes with source, `npm run measure -- FILE.html` any page.
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "@playwright/test";
import config from "./playwright.config.mjs";
import { bigTrace, pageOf } from "./tests/traces.mjs";

const ROUNDS = 9;
const VIEWS = ["source", "flame", "tree", "tables", "summary"];

async function open(browser, url) {
  const page = await browser.newPage({ viewport: config.use.viewport });
  await page.addInitScript(() => {
    new MutationObserver(() =>
      requestAnimationFrame(() =>
        setTimeout(() => {
          window.drawn = performance.now();
        }),
      ),
    ).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-ready"] });
  });
  await page.goto(url);
  const drawn = await page.waitForFunction(() => window.drawn, null, { timeout: 60_000 });
  const ms = await drawn.jsonValue();
  await page.close();
  return ms;
}

/** Moves through the flame graph with the keyboard: the median of the redraws. */
async function redraw(browser, url) {
  const page = await browser.newPage({ viewport: config.use.viewport });
  await page.goto(url);
  await page.waitForFunction(() => document.documentElement.dataset.ready, null, { timeout: 60_000 });
  const ms = await page.evaluate(async () => {
    const canvas = document.querySelector("canvas.graph");
    canvas.focus();
    const times = [];
    for (let i = 0; i < 13; i++) {
      const start = performance.now();
      canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
      await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
      times.push(performance.now() - start);
    }
    return times.sort((a, b) => a - b)[6];
  });
  await page.close();
  return ms;
}

const folder = mkdtempSync(join(tmpdir(), "page-"));
try {
  let file = process.argv[2];
  if (!file) {
    file = join(folder, "page.html");
    writeFileSync(file, pageOf(bigTrace(100_000)));
  }
  const url = `file://${resolve(file)}`;
  const browser = await chromium.launch(config.use.launchOptions);
  console.log(
    `Chromium ${browser.version()}, ${(statSync(file).size / 1e6).toFixed(1)} MB, ${ROUNDS} rounds, ms: min, median`,
  );
  const times = VIEWS.map(() => []);
  await open(browser, url);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, view] of VIEWS.entries()) times[index].push(await open(browser, `${url}#v=${view}`));
  }
  for (const [index, view] of VIEWS.entries()) {
    const sorted = times[index].sort((a, b) => a - b).map(Math.round);
    console.log(`${view.padEnd(8)} ${String(sorted[0]).padStart(6)} ${String(sorted[ROUNDS >> 1]).padStart(6)}`);
  }
  console.log(`redraw of the flame graph: ${Math.round(await redraw(browser, `${url}#v=flame`))}`);
  await browser.close();
} finally {
  rmSync(folder, { recursive: true });
}
