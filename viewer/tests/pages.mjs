// Opens pages in the browser and fails the test on anything a page must not do: a request, an error, a script of somebody else.
import { mkdirSync, writeFileSync } from "node:fs";
import { test as base, expect } from "@playwright/test";
import { pageOf } from "./traces.mjs";

export { expect };

export const test = base.extend({
  /** `open(json, { hash, data, fixed, ready })`: the page of a trace, from disk. */
  open: async ({ page, context }, use, info) => {
    const wrong = [];
    let own = "";
    let opened = 0;
    page.on("request", (request) => {
      if (request.url().split("#")[0] !== own) wrong.push(`request: ${request.url().slice(0, 200)}`);
    });
    page.on("pageerror", (error) => wrong.push(`error: ${error.stack}`));
    page.on("console", (message) => wrong.push(`console: ${message.text()}`));
    page.on("dialog", (dialog) => wrong.push(`dialog: ${dialog.message()}`));
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await use(async (json, { hash = "", ready = true, ...options } = {}) => {
      mkdirSync(info.outputDir, { recursive: true });
      // Each page has an address of its own: another hash alone would load nothing.
      const path = `${info.outputDir}/page${++opened}.html`;
      writeFileSync(path, pageOf(json, options));
      own = `file://${path}`;
      await page.goto(own + hash);
      if (ready) await page.waitForFunction(() => document.documentElement.dataset.ready, null, { timeout: 20_000 });
    });
    expect(wrong).toEqual([]);
  },
});

/** The texts of a table's cells: one list per row. */
export function cells(table) {
  return table
    .locator("tbody tr")
    .evaluateAll((rows) =>
      rows.map((row) => [...row.cells].map((cell) => cell.textContent.replaceAll("\u00a0", " ").trim())),
    );
}

export function hashOf(page) {
  return page.evaluate(() => decodeURIComponent(location.hash));
}
