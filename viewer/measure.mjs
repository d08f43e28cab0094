// How long a page takes to open, view by view: from the start of the navigation until the view is drawn, in milliseconds.
// `npm run measure` opens a made-up trace of 100,000 nodes with source, `npm run measure -- FILE.html` any page.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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

const folder = mkdtempSync(join(tmpdir(), "page-"));
try {
  let file = process.argv[2];
  if (!file) {
    file = join(folder, "page.html");
    writeFileSync(file, pageOf(bigTrace(100_000)));
  }
  const browser = await chromium.launch(config.use.launchOptions);
  console.log(`Chromium ${browser.version()}, ${ROUNDS} rounds, ms: min, median`);
  const times = VIEWS.map(() => []);
  await open(browser, `file://${resolve(file)}`);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, view] of VIEWS.entries())
      times[index].push(await open(browser, `file://${resolve(file)}#v=${view}`));
  }
  for (const [index, view] of VIEWS.entries()) {
    const sorted = times[index].sort((a, b) => a - b).map(Math.round);
    console.log(`${view.padEnd(8)} ${String(sorted[0]).padStart(6)} ${String(sorted[ROUNDS >> 1]).padStart(6)}`);
  }
  await browser.close();
} finally {
  rmSync(folder, { recursive: true });
}
