import { expect, test } from "./pages.mjs";
import { bigTrace, TraceMaker } from "./traces.mjs";

// A page of 100,000 nodes. Wanted on two idle cores: interactive in 1.0 s, a redraw in 50 ms, a heap of 120 MB. Machines that run tests
// are neither idle nor alike, so what fails the test is several times that; the figures are printed.

const SLACK = 4;

test("100,000 nodes", async ({ page, open }) => {
  const json = bigTrace(100_000);
  const figures = {};
  for (const view of ["source", "flame", "tree", "tables", "summary"]) {
    await open(json, { hash: `#v=${view}` });
    figures[view] = Math.round(await page.evaluate(() => Number(document.documentElement.dataset.ready)));
    await page.goto("about:blank");
  }
  await open(json, { hash: "#v=flame" });
  figures.redraw = Math.round(
    await page.evaluate(async () => {
      const canvas = document.querySelector("canvas.graph");
      canvas.focus();
      const times = [];
      for (let i = 0; i < 12; i++) {
        const start = performance.now();
        canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        times.push(performance.now() - start);
      }
      return times.sort((a, b) => a - b)[6];
    }),
  );
  await page.keyboard.press("4");
  await expect(page.locator("table[role=grid]")).toHaveAttribute("aria-rowcount", /^[1-9]\d{3,}$/);
  figures.elements = await page.evaluate(() => document.querySelectorAll("*").length);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("HeapProfiler.collectGarbage");
  figures.heap = Math.round(await page.evaluate(() => performance.memory.usedJSHeapSize / 1e6));
  console.log(`100,000 nodes, ms until interactive: ${JSON.stringify(figures)}`);
  for (const view of ["source", "flame", "tree", "tables", "summary"]) expect(figures[view]).toBeLessThan(SLACK * 1000);
  expect(figures.redraw).toBeLessThan(SLACK * 50);
  expect(figures.heap).toBeLessThan(120);
  // Rows outside of the window are not in the document.
  expect(figures.elements).toBeLessThan(4000);
});

test("long files: every row is as high as the scrolling takes it to be, wide and narrow", async ({ page, open }) => {
  const maker = new TraceMaker();
  const lines = Array.from({ length: 3000 }, (_, index) =>
    index % 3 ? `    a${index} = "text ${index}"  # é 漢字` : `def f${index}():`,
  );
  for (let line = 2; line < 3000; line += 3)
    maker.add([["/a.py", `f${line}`, line]], { size: line, allocated: 1, live: 1 });
  await open(maker.json({ sources: [["/a.py", 1, lines.join("\n")]] }));
  const grid = page.locator("table[role=grid]");
  for (const [width, height] of [
    [1200, 20],
    [400, 40],
  ]) {
    await page.setViewportSize({ width, height: 900 });
    await grid.focus();
    await page.keyboard.press("End");
    await expect(grid.locator('tr[aria-rowindex="3001"]')).toBeInViewport();
    const heights = await grid
      .locator("tbody tr:not(.spacer)")
      .evaluateAll((rows) => rows.map((row) => row.getBoundingClientRect().height));
    expect(heights.length).toBeLessThan(100);
    expect(new Set(heights)).toEqual(new Set([height]));
    await page.keyboard.press("Home");
    await expect(grid.locator('tr[aria-rowindex="2"]')).toBeInViewport();
  }
});

test("long tables scroll by drawing what is seen, and End reaches the last row", async ({ page, open }) => {
  await open(bigTrace(20_000), { hash: "#v=tables" });
  const grid = page.locator("table[role=grid]");
  const rows = Number(await grid.getAttribute("aria-rowcount"));
  await grid.focus();
  await page.keyboard.press("End");
  await expect(grid.locator(`tr[aria-rowindex="${rows}"]`)).toBeInViewport();
  expect(await grid.locator("tbody tr").count()).toBeLessThan(100);
  await page.keyboard.press("Home");
  await expect(grid.locator('tr[aria-rowindex="2"]')).toBeInViewport();
});
