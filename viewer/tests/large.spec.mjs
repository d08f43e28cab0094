import { expect, test } from "./pages.mjs";
import { bigTrace, TraceMaker } from "./traces.mjs";

// What keeps a page of 100,000 nodes quick. How quick it is, `npm run measure` says: time is no matter of tests.

test("100,000 nodes: rows outside of the window are not in the document, and the heap stays small", async ({
  page,
  open,
}) => {
  await open(bigTrace(100_000));
  for (const name of ["Source", "Flame", "Tree", "Tables", "Summary"]) {
    await page.getByRole("tab", { name }).click();
    expect(await page.evaluate(() => document.querySelectorAll("*").length)).toBeLessThan(4000);
  }
  await page.keyboard.press("4");
  await expect(page.locator("table[role=grid]")).toHaveAttribute("aria-rowcount", /^[1-9]\d{3,}$/);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("HeapProfiler.collectGarbage");
  expect(await page.evaluate(() => performance.memory.usedJSHeapSize / 1e6)).toBeLessThan(120);
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
