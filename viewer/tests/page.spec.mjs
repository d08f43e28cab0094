import { gzipSync } from "node:zlib";
import { difference, sample } from "./make_sample.mjs";
import { cells, expect, hashOf, test } from "./pages.mjs";
import { TraceMaker } from "./traces.mjs";

const grid = (page) => page.locator("table[role=grid], table[role=treegrid]");
const view = (page, name) => page.getByRole("tab", { name }).click();
const choose = (page, label, option) => page.getByLabel(label, { exact: true }).selectOption({ label: option });
const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());

for (const [width, height] of [
  [1600, 1000],
  [700, 1000],
]) {
  test(`the first screen has the totals and the heaviest line, ${width} wide`, async ({ page, open }) => {
    await page.setViewportSize({ width, height });
    await open(sample());
    await expect(page.locator("header")).toContainText("live 12.5 MiB in 114,208");
    await expect(page.locator("header")).toContainText("peak 18.5 MiB");
    await expect(page.locator("header")).toContainText("allocated 259.2 MiB in 153,032");
    const line = page.locator("tr.selected");
    await expect(line).toBeInViewport({ ratio: 0.3 });
    await expect(line).toContainText("x = x * 2.0 + 1.0");
    await expect(line).toContainText("6.1 MiB");
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  });
}

test.describe("source", () => {
  test("each line has its numbers, self or total, and only functions that ran are unfolded", async ({ page, open }) => {
    await open(sample());
    const row = (text) => grid(page).locator("tr", { hasText: text });
    await expect(grid(page).locator("thead")).toHaveText("linelivepeakallocatedcounttemporarycode");
    const numbers = (text) =>
      row(text)
        .locator("td")
        .allTextContents()
        .then((all) => all.map((one) => one.replaceAll("\u00a0", " ").trim()));
    expect(await numbers("rows = [f(i)")).toEqual([
      "37",
      "56 B",
      "8.1 KiB",
      "52.0 KiB",
      "260",
      "11",
      "rows = [f(i) for i in range(n)]",
    ]);
    await page.keyboard.press("s");
    expect(await numbers("rows = [f(i)")).toEqual([
      "37",
      "6.3 MiB",
      "6.3 MiB",
      "8.7 MiB",
      "152,260",
      "38,011",
      "rows = [f(i) for i in range(n)]",
    ]);
    await expect(grid(page)).not.toContainText("Nothing of this runs");
    await page.getByRole("button", { name: "33 lines without events, 1–33" }).click();
    await expect(grid(page)).toContainText("Nothing of this runs");
    await page.getByLabel("all lines").check();
    await expect(grid(page).locator("tbody tr")).toHaveCount(53);
  });

  test("a line that only calls has a dot, one without events nothing, one that freed all 0 B", async ({
    page,
    open,
  }) => {
    await open(sample());
    const row = (text) => grid(page).locator("tr", { hasText: text });
    await expect(row("x = np.zeros").locator(".dot")).toHaveCount(1);
    await expect(row("for _ in range(20)").locator(".num")).toHaveCount(0);
    await page.keyboard.press("]");
    await expect(page.locator(".path h2")).toContainText("util.py");
    await expect(row("a = (i, i + 1)").locator(".bars .num")).toHaveText(/^0 B/);
  });

  test("callers and callees open with Enter and lead on", async ({ page, open }) => {
    await open(sample(), { hash: "#l=37" });
    await grid(page).press("Enter");
    const calls = grid(page).locator("tr.call");
    await expect(calls).toHaveCount(2);
    await expect(calls.first()).toContainText("calls app/util.py:12 f 50.6 %");
    await calls.first().getByRole("link").click();
    await expect(page.locator(".path h2")).toContainText("/home/user/project/app/util.py");
    await expect(page.locator("tr.selected")).toContainText("return [str(x) for x in a]");
    await page.locator("tr.selected").getByRole("button", { name: "Callers and callees of line 12" }).click();
    await expect(grid(page).locator("tr.call")).toContainText("called by app/io.py:37 load");
    await page.goBack();
    await expect(page.locator(".path h2")).toContainText("io.py");
  });

  test("keys walk: lines with numbers, the heaviest, files, numbers; columns are chosen", async ({ page, open }) => {
    await open(sample());
    await page.keyboard.press("n");
    await expect(page.locator("tr.selected")).toContainText("cache[path] = rows");
    await page.keyboard.press("N");
    await page.keyboard.press("N");
    await expect(page.locator("tr.selected")).toContainText("x = np.zeros");
    await page.keyboard.press("g");
    await expect(page.locator("tr.selected")).toContainText("x = x * 2.0");
    await grid(page).focus();
    await page.keyboard.press("ArrowUp");
    await expect(page.locator("tr.selected")).toContainText("for _ in range(20)");
    await page.keyboard.press("End");
    await expect(page.locator("tr.selected")).toContainText("return rows, head");
    await page.keyboard.press("m");
    await expect(page.getByLabel("number", { exact: true })).toHaveValue("1");
    await page.keyboard.press("M");
    await page.getByText("columns", { exact: true }).click();
    await page.getByLabel("freed", { exact: true }).check();
    await page.getByLabel("temporary", { exact: true }).uncheck();
    await expect(grid(page).locator("thead")).toHaveText("linelivepeakallocatedcountfreedcode");
    expect(await hashOf(page)).toContain("k=0.2.4.5.6");
  });

  test("a search marks its lines, and n goes from one to the next", async ({ page, open }) => {
    await open(sample());
    await page.keyboard.press("/");
    await page.keyboard.type("rows|head");
    await expect(grid(page).locator("tr.hit")).toHaveCount(7);
    await expect(page.getByText("9 lines found: 30.9 KiB self, 0.2 %")).toBeVisible();
    await page.keyboard.press("Enter");
    await expect(page.locator("tr.selected")).toContainText("cache[path] = rows");
    await page.keyboard.press("Escape");
    await page.keyboard.press("n");
    await expect(page.locator("tr.selected")).toContainText("text = json.dumps");
  });

  test("exact bytes by hover, in the detail and by copy", async ({ page, open }) => {
    await open(sample(), { hash: "#l=37" });
    await expect(page.locator("tr.selected td").nth(3).locator(".num")).toHaveAttribute("title", "53,280 B");
    await expect(page.locator("aside.detail")).toContainText("allocated53,280 B9,097,280 B");
    await grid(page).press("c");
    expect(await clipboard(page)).toBe("37,56,8248,53280,260,11,    rows = [f(i) for i in range(n)]");
    await expect(page.locator(".notice")).toContainText("Copied: line 37.");
    await page.getByRole("button", { name: "Close the notice" }).click();
    await expect(page.locator(".notice")).toHaveCount(0);
  });

  test("a line leads to its widest frame and to its row, and both lead back", async ({ page, open }) => {
    await open(sample(), { hash: "#l=37" });
    await page.getByRole("button", { name: "Show in Flame" }).click();
    const frame = page.getByRole("complementary", { name: "Selected frame" });
    await expect(frame).toContainText("/home/user/project/app/io.py:37");
    expect(await hashOf(page)).not.toContain("z=");
    await frame.getByRole("button", { name: "Open source" }).click();
    await page.getByRole("button", { name: "Show in Tables" }).click();
    await expect(page.locator("tr.selected")).toContainText("rows = [f(i)");
    await grid(page).press("Enter");
    await expect(page.locator("tr.selected td.number")).toHaveText("37");
  });

  test("a line whose frame is too narrow to be seen is the root of its own graph", async ({ page, open }) => {
    await open(sample(), { hash: "#l=42" });
    await page.getByRole("button", { name: "Show in Flame" }).click();
    expect(await hashOf(page)).toContain("z=");
    await expect(page.getByRole("complementary", { name: "Selected frame" })).toContainText("io.py:42");
    await page.goBack();
    await page.getByLabel("number", { exact: true }).selectOption({ label: "reallocated" });
    await page.getByRole("button", { name: "Show in Flame" }).click();
    await expect(page.locator(".notice")).toContainText("No frame of this line has any reallocated.");
  });

  test("a row that the search hides is shown all the same", async ({ page, open }) => {
    await open(sample(), { hash: "#l=42&q=nothing" });
    await page.getByRole("button", { name: "Show in Tables" }).click();
    await expect(page.locator("tr.selected")).toContainText("cache[path] = rows");
    await expect(page.locator("#search")).toHaveValue("");
  });

  test("a file without source lists its lines by number", async ({ page, open }) => {
    await open(sample());
    await page.getByText("libraries (2)").click();
    await page.getByRole("link", { name: "json/encoder.py" }).click();
    await expect(grid(page).locator("tbody tr").last()).toContainText("source not available");
    await expect(grid(page).locator("tbody tr").last()).toContainText("142.6 KiB");
  });

  test("below 900 px files are chosen from a list", async ({ page, open }) => {
    await page.setViewportSize({ width: 700, height: 900 });
    await open(sample());
    await choose(page, "file", "app/util.py 6.3 MiB");
    await expect(page.locator(".path h2")).toContainText("util.py");
    await expect(grid(page)).toContainText("return [str(x) for x in a]");
  });
});

test.describe("flame graph", () => {
  const graph = (page) => page.getByRole("application", { name: /^Flame graph of/ });
  const detail = (page) => page.getByRole("complementary", { name: "Selected frame" });

  test("keys walk, zoom and open; a screen reader is told where it is", async ({ page, open }) => {
    await open(sample(), { hash: "#v=flame" });
    await graph(page).focus();
    await page.keyboard.press("ArrowDown");
    await expect(page.locator("p[role=status]")).toHaveText(
      "load app/io.py:37, live total 6.3 MiB 50.6 %, depth 1, 2 children",
    );
    await page.keyboard.press("ArrowDown");
    await expect(detail(page)).toContainText("return [str(x) for x in a]");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("ArrowRight");
    await expect(detail(page)).toContainText("/home/user/project/app/io.py:40");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    expect(await hashOf(page)).toMatch(/&z=[0-9a-f]+/);
    await page.keyboard.press("Backspace");
    expect(await hashOf(page)).not.toContain("z=");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.keyboard.press("0");
    expect(await hashOf(page)).not.toContain("z=");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    await expect(page.locator("tr.selected")).toContainText("rows = [f(i)");
  });

  test("a click shows the source line; zoom, stack and source are a button away", async ({ page, open }) => {
    await open(sample(), { hash: "#v=flame" });
    await graph(page).click({ position: { x: 100, y: 50 } });
    await expect(detail(page).locator(".here")).toHaveText(/^\s+12\s+return \[str\(x\) for x in a\]$/);
    await detail(page).getByRole("button", { name: "Copy stack" }).click();
    expect(await clipboard(page)).toBe("load app/io.py:37\nf app/util.py:12");
    await detail(page).getByRole("button", { name: "Zoom" }).click();
    await expect(page.getByRole("button", { name: "Whole graph" })).toBeEnabled();
    const zoomed = await page.evaluate(() => location.href);
    await page.getByRole("button", { name: "Whole graph" }).click();
    await page.goBack();
    expect(await page.evaluate(() => location.href)).toBe(zoomed);
    await expect(page.getByRole("button", { name: "Whole graph" })).toBeEnabled();
    await graph(page).dblclick({ position: { x: 100, y: 30 } });
    await detail(page).getByRole("button", { name: "Open source" }).click();
    await expect(page.locator("tr.selected")).toContainText("rows = [f(i)");
  });

  test("every number, inverted, unfolded, upright, by file", async ({ page, open }) => {
    await open(sample(), { hash: "#v=flame" });
    const first = page.locator("#widest tbody tr").first();
    await expect(first).toHaveText(/load app\/io\.py:37.*6\.3 MiB 50\.6 %/);
    await choose(page, "number", "allocated");
    await expect(first).toHaveText(/load app\/io\.py:40.*244\.1 MiB 94\.2 %/);
    await choose(page, "number", "temporary");
    await expect(first).toHaveText(/load app\/io\.py:37.*38,011 99\.0 %/);
    await page.keyboard.press("i");
    await expect(first).toHaveText(/f app\/util\.py:11.*38,000 98\.9 %/);
    await page.getByLabel("inverted").uncheck();
    await choose(page, "number", "live blocks");
    const rows = () => graph(page).getAttribute("aria-label");
    const folded = await rows();
    await page.keyboard.press("r");
    expect(await rows()).not.toBe(folded);
    await page.getByLabel("fold recursion").check();
    expect(await rows()).toBe(folded);
    await page.getByLabel("root at the bottom").check();
    await page.getByLabel("colour by").selectOption("file");
    expect(await hashOf(page)).toContain("&u=1&c=file");
    await graph(page).focus();
    await page.keyboard.press("ArrowUp");
    await expect(detail(page)).toContainText("io.py:37");
  });

  test("by thread and by allocator, with a chip for what is left out", async ({ page, open }) => {
    await open(sample(), { hash: "#v=flame&m=allocated_bytes" });
    await choose(page, "threads", "pool-1 (4712)");
    await expect(page.locator("#widest tbody tr")).toHaveCount(1);
    await expect(page.locator("p.chip")).toHaveText(/only pool-1: 259\.1 MiB allocated hidden/);
    await expect(page.locator("header")).toContainText("allocated 88.0 KiB in 52");
    await choose(page, "allocators", "mmap");
    await expect(page.getByText("Nothing has any allocated here.")).toBeVisible();
    await page.getByRole("button", { name: "Clear filters" }).click();
    await choose(page, "allocators", "mmap");
    await expect(page.locator("header")).toContainText("allocated 250.2 MiB in 41");
  });

  test("a search says how many frames it found and what they hold, and goes from hit to hit", async ({
    page,
    open,
  }) => {
    await open(sample(), { hash: "#v=flame&q=util" });
    await expect(page.getByText("3 found: 6.3 MiB, 50.7 %")).toBeVisible();
    await page.getByRole("button", { name: "Next" }).click();
    await expect(detail(page)).toContainText("return [str(x) for x in a]");
    await page.getByRole("button", { name: "Previous" }).click();
    await expect(detail(page)).toContainText("walk ×200");
    await page.locator("#search").fill("no such frame");
    await expect(page.getByText("No frame is found.")).toBeVisible();
  });
});

test("the tree has the flame graph's items with all numbers", async ({ page, open }) => {
  await open(sample(), { hash: "#v=tree" });
  const row = (text) => grid(page).locator("tr", { hasText: text });
  await expect(row("app/io.py:37")).toHaveAttribute("aria-expanded", "true");
  expect((await cells(grid(page)))[1]).toEqual([
    "f app/util.py:12",
    "6.3 MiB",
    "6.3 MiB",
    "114,000",
    "6.3 MiB",
    "114,000",
    "6.3 MiB",
    "114,000",
    "0 B",
    "0",
    "0",
    "0",
  ]);
  await row("app/io.py:44").getByRole("button", { name: "Open" }).click();
  await expect(row("walk ×200")).toHaveAttribute("aria-level", "2");
  await grid(page).focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowLeft");
  await expect(row("app/io.py:37")).toHaveAttribute("aria-expanded", "false");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("c");
  expect(await clipboard(page)).toContain("f app/util.py:12,6612000,");
  await page.keyboard.press("Enter");
  await expect(page.locator("tr.selected")).toContainText("return [str(x) for x in a]");
  await view(page, "Tree");
  await page.getByLabel("inverted").check();
  await expect(grid(page).locator("tbody tr").first()).toContainText("f app/util.py:12");
});

test("a search in the tree finds what is in closed rows, and opens them", async ({ page, open }) => {
  await open(sample(), { hash: "#v=tree&q=walk" });
  await expect(page.getByText("1 found: 17.3 KiB, 0.1 %")).toBeVisible();
  await expect(grid(page).locator("tr.hit")).toHaveText([/^load app\/io\.py:44/]);
  const selected = page.locator("tr.selected");
  await page.getByRole("button", { name: "Next" }).click();
  await expect(selected).toContainText("load app/io.py:44");
  await page.keyboard.press("n");
  await expect(selected).toContainText("walk ×200");
  await page.keyboard.press("n");
  await expect(selected).toContainText("walk app/util.py:6");
  await page.keyboard.press("n");
  await expect(selected).toContainText("load app/io.py:44");
  await page.keyboard.press("N");
  await expect(selected).toContainText("walk app/util.py:6");
});

test.describe("tables", () => {
  test("sort by any column, both ways", async ({ page, open }) => {
    await open(sample(), { hash: "#v=tables" });
    const places = async () => (await cells(grid(page))).map((row) => row[0]);
    expect((await places())[0]).toContain("app/util.py:12");
    await expect(grid(page).locator("th[aria-sort]")).toHaveText("live self");
    await page.getByRole("button", { name: "allocated", exact: true }).click();
    expect((await places())[0]).toContain("app/io.py:40");
    await page.getByRole("button", { name: "allocated", exact: true }).click();
    await expect(grid(page).locator("th[aria-sort=ascending]")).toHaveText("allocated");
    expect(await hashOf(page)).toContain("o=allocated_bytes");
    await page.getByRole("button", { name: "place" }).click();
    expect((await places())[0]).toContain("app/io.py:36");
    await page.getByRole("button", { name: "live total" }).click();
    expect((await places())[0]).toContain("app/io.py:37");
  });

  test("every table adds up, and leads to the source or to a filter", async ({ page, open }) => {
    await open(sample(), { hash: "#v=tables&m=allocated_count" });
    for (const [name, rows] of [
      ["Lines", 15],
      ["Functions", 7],
      ["Files", 5],
      ["Threads", 2],
      ["Allocators", 6],
    ]) {
      await page.getByRole("button", { name: new RegExp(`^${name}`) }).click();
      const found = await cells(grid(page));
      expect(found.length).toBe(rows);
      expect(found.reduce((sum, row) => sum + Number(row[1].replaceAll(",", "")), 0)).toBe(153_032);
      await expect(page.getByText(`${rows} rows, 100.0 % of count`)).toBeVisible();
    }
    await grid(page).focus();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await expect(page.getByLabel("allocators", { exact: true })).toHaveValue("1");
    await page.getByRole("button", { name: /^Functions/ }).click();
    await grid(page).getByRole("link", { name: "app/util.py:12" }).click();
    await expect(page.locator("tr.selected")).toContainText("return [str(x)");
  });

  test("a search hides rows behind a chip; what is left is copied as CSV", async ({ page, open }) => {
    await open(sample(), { hash: "#v=tables&q=json" });
    await expect(page.getByText("3 rows, < 0.1 % of live")).toBeVisible();
    await expect(page.locator(".chip")).toHaveText(/12 rows hidden, 12\.5 MiB self/);
    await page.getByRole("button", { name: "Copy as CSV" }).click();
    const lines = (await clipboard(page)).split("\r\n");
    expect(lines[0]).toMatch(/^function,file,line,live_bytes\.self,live_bytes\.total,/);
    expect(lines[1]).toBe(
      "load,/home/user/project/app/io.py,43,7211,7211,1,1,0,0,0,0,7211,153211,1,313,0,146000,0,312,0,281,0,0",
    );
    expect(lines.length).toBe(4);
    await page.getByRole("button", { name: "Show all rows" }).click();
    await expect(page.getByText("15 rows, 100.0 % of live")).toBeVisible();
    await page.locator("#search").fill("no such row");
    await expect(page.getByText("hides every row.")).toBeVisible();
    await page.getByRole("button", { name: "Clear all filters" }).click();
    await expect(page.getByText("15 rows, 100.0 % of live")).toBeVisible();
  });
});

test("the summary: cards, time, peak, sizes, run, what was lost", async ({ page, open }) => {
  await open(sample(), { hash: "#v=summary" });
  await expect(page.locator(".cards")).toContainText("peak 18.5 MiB in 114,015 blocks");
  await expect(page.getByRole("img", { name: "Live bytes over time. Highest: 18.5 MiB at 9.1 ms." })).toBeVisible();
  const section = (title) => page.locator("section", { has: page.locator("h2", { hasText: title }) });
  expect((await cells(section("What the peak was made of")))[0]).toEqual([
    "12.2 MiB",
    "65.8 %",
    "app/io.py:40 x = x * 2.0 + 1.0  # twenty large temporaries",
  ]);
  expect((await cells(section("Temporary blocks")))[0].slice(0, 2)).toEqual(["38,000", "98.9 %"]);
  expect(await cells(section("Allocated, by thread"))).toEqual([
    ["259.1 MiB", "100.0 %", "MainThread"],
    ["88.0 KiB", "< 0.1 %", "pool-1"],
  ]);
  const sizes = section("Blocks by size");
  expect(await cells(sizes)).toEqual([
    ["32–63 B", "76,531", "50.0 %"],
    ["64–127 B", "76,401", "49.9 %"],
    ["128–255 B", "0", "0.0 %"],
    ["256–511 B", "0", "0.0 %"],
    ["512–1023 B", "0", "0.0 %"],
    ["1–2 KiB", "40", "< 0.1 %"],
    ["2–4 KiB", "0", "0.0 %"],
    ["4–8 KiB", "14", "< 0.1 %"],
    ["8–16 KiB", "0", "0.0 %"],
    ["16–32 KiB", "4", "< 0.1 %"],
    ["32–64 KiB", "0", "0.0 %"],
    ["64–128 KiB", "0", "0.0 %"],
    ["128–256 KiB", "1", "< 0.1 %"],
    ["256–512 KiB", "0", "0.0 %"],
    ["512–1024 KiB", "0", "0.0 %"],
    ["1–2 MiB", "0", "0.0 %"],
    ["2–4 MiB", "0", "0.0 %"],
    ["4–8 MiB", "41", "< 0.1 %"],
  ]);
  await expect(sizes.getByRole("rowheader", { name: "1–2 KiB" })).toHaveAttribute("title", "1,024 to below 2,048 B");
  await expect(sizes).not.toContainText("of all threads");
  await expect(section("Run")).toContainText("python app/main.py data.json");
  await expect(section("Run")).toContainText("2025-11-24 16:00:00 UTC");
  await expect(section("Run")).toContainText("malloc_tracer 2.0.0");
  await expect(page.locator(".lost")).toHaveText(
    "Lost: allocations of signal handlers: 3. The numbers are too low by these events.",
  );
  await page.getByRole("button", { name: /^peak/ }).click();
  await expect(grid(page).locator("tbody tr").first()).toContainText("app/io.py:40");
  await view(page, "Summary");
  await page.getByRole("button", { name: "Allocated, by allocator" }).click();
  await expect(grid(page).locator("tbody tr").first()).toContainText("mmap");
});

test("sizes of blocks: those of the whole trace, however far they go, and none if the trace has none", async ({
  page,
  open,
}) => {
  const sizes = page.locator("section", { hasText: "Blocks by size" }).last();
  await open(sample(), { hash: "#v=summary&th=1" });
  await expect(sizes.locator("h2")).toHaveText("Blocks by size of all threads and allocators");
  await open({ ...sample(), block_sizes: [3, 2, 0, ...Array(61).fill(0), 1] }, { hash: "#v=summary" });
  const rows = await cells(sizes);
  expect(rows.length).toBe(65);
  expect(rows.slice(0, 4)).toEqual([
    ["0 B", "3", "50.0 %"],
    ["1 B", "2", "33.3 %"],
    ["2–3 B", "0", "0.0 %"],
    ["4–7 B", "0", "0.0 %"],
  ]);
  expect(rows[64]).toEqual(["8388608–16777216 TiB", "1", "16.7 %"]);
  await open({ ...sample(), block_sizes: undefined }, { hash: "#v=summary" });
  await expect(page.locator(".cards")).toContainText("peak 18.5 MiB");
  await expect(page.getByText("Blocks by size")).toHaveCount(0);
});

test.describe("difference", () => {
  test("signs, words, both sides, lines that are gone in their place", async ({ page, open }) => {
    await open(difference());
    await expect(page.locator("header")).toContainText("difference: load");
    await expect(page.locator("header")).toContainText("live +1.9 MiB (+15.5 %)");
    await expect(page.locator("header")).toContainText("Every number is a change, now minus before: + grown − shrunk");
    const row = (text) => grid(page).locator("tr", { hasText: text });
    const numbers = async (text) =>
      (await row(text).locator("td").allTextContents()).map((one) => one.replaceAll("\u00a0", " ").trim());
    expect(await numbers("# a copy")).toEqual([
      "41",
      "gone",
      "–",
      "−64.0 KiB",
      "±0",
      "−64.0 KiB",
      "−4",
      "±0",
      "cache[path] = list(rows)  # a copy",
    ]);
    expect(await numbers("cache[path] = rows")).toEqual([
      "42",
      "new",
      "16.0 KiB",
      "+16.0 KiB",
      "±0",
      "+64.0 KiB",
      "+4",
      "±0",
      "cache[path] = rows",
    ]);
    expect(await numbers("x = x * 2.0")).toEqual([
      "40",
      "same",
      "6.1 MiB",
      "±0",
      "±0",
      "±0",
      "±0",
      "±0",
      "x = x * 2.0 + 1.0  # twenty large temporaries",
    ]);
    const order = (await cells(grid(page))).map((one) => one.at(-1));
    expect(order.indexOf("cache[path] = list(rows)  # a copy")).toBe(order.indexOf("cache[path] = rows") - 1);
    await expect(row("# a copy").locator(".words")).toHaveCSS("text-decoration-line", "line-through");
    await page.getByLabel("swap").check();
    await expect(page.locator("header")).toContainText("live −1.9 MiB (−13.5 %)");
    expect((await numbers("# a copy")).slice(0, 4)).toEqual(["41", "new", "64.0 KiB", "+64.0 KiB"]);
  });

  test("grown is red, shrunk blue, and the threshold is a chip", async ({ page, open }) => {
    await open(difference(), { hash: "#v=tables" });
    await expect(grid(page).locator("tbody tr")).toHaveCount(3);
    await expect(page.locator(".chip")).toContainText("13 rows hidden");
    await expect(grid(page).locator(".n .num.grow").first()).toHaveCSS("color", "rgb(179, 71, 0)");
    await expect(grid(page).locator(".n .num.shrink").first()).toHaveCSS("color", "rgb(10, 98, 168)");
    await page.getByLabel("hide changes below").selectOption("102400");
    await expect(grid(page).locator("tbody tr")).toHaveCount(1);
    await page.getByLabel("hide changes below").selectOption("0");
    await expect(grid(page).locator("tbody tr")).toHaveCount(16);
    await view(page, "Flame");
    await expect(page.locator("#widest")).toContainText("−64.0 KiB gone");
    await expect(page.locator("#widest")).toContainText("+2.0 MiB grown");
    await view(page, "Summary");
    await expect(page.locator(".columns section").first()).toContainText("+2.0 MiBgrownapp/util.py:12");
    const sizes = page.locator("section", { hasText: "Blocks by size" }).last();
    const changed = async () => (await cells(sizes)).filter((row) => row[1] !== "±0");
    expect(await changed()).toEqual([
      ["32–63 B", "+24,000"],
      ["64–127 B", "+24,000"],
      ["1–2 KiB", "−20"],
    ]);
    await page.getByLabel("swap").check();
    expect((await changed())[0]).toEqual(["32–63 B", "−24,000"]);
  });

  test("equal runs say so", async ({ page, open }) => {
    const maker = new TraceMaker();
    maker.add([["/a.py", "f", 1]], { size: 8, allocated: 2, live: 1 });
    maker.add([["/a.py", "f", 1]], { size: 8, allocated: -2, live: -1, earlier: 1 });
    await open(maker.json({ difference: true }));
    await expect(page.getByText("No difference: every number of every line is the same in both traces.")).toBeVisible();
  });
});

test.describe("the rest of the page", () => {
  test("the address keeps every view, and says what it does not know", async ({ page, open }) => {
    const hash = "#v=tables&m=peak_bytes&s=0&q=load&th=0&al=1&t=functions&o=-freed_bytes.total&i=1&r=0&u=1&c=file";
    await open(sample(), { hash });
    await expect(page.getByRole("tab", { name: "Tables" })).toHaveAttribute("aria-selected", "true");
    await expect(page.getByLabel("number", { exact: true })).toHaveValue("2");
    await expect(page.getByRole("button", { name: "total", exact: true })).toHaveAttribute("aria-pressed", "true");
    await expect(page.locator("#search")).toHaveValue("load");
    await expect(page.getByLabel("threads", { exact: true })).toHaveValue("0");
    await expect(page.getByLabel("allocators", { exact: true })).toHaveValue("1");
    await expect(page.getByRole("button", { name: /^Functions/ })).toHaveAttribute("aria-pressed", "true");
    const kept = await hashOf(page);
    for (const part of hash.slice(1).split("&")) expect(kept).toContain(part);
    await view(page, "Source");
    await page.goBack();
    await expect(page.getByRole("tab", { name: "Tables" })).toHaveAttribute("aria-selected", "true");
  });

  test("an address with unknown parts gives a notice and the rest works", async ({ page, open }) => {
    await open(sample(), { hash: "#v=nothing&m=live_bytes&th=77&zz=1&q=%E0%A4%A" });
    await expect(page.locator(".notice")).toContainText("leaves out: q, v, th, zz");
    await expect(grid(page)).toContainText("def load");
  });

  test("keys 1 to 5 change the view, the tabs answer to arrows, and single keys can be turned off", async ({
    page,
    open,
  }) => {
    await open(sample());
    const selected = page.locator("[role=tab][aria-selected=true]");
    for (const [key, name] of [..."52341"].map((key) => [
      key,
      ["Source", "Flame", "Tree", "Tables", "Summary"][key - 1],
    ])) {
      await page.keyboard.press(key);
      await expect(selected).toContainText(name);
    }
    await selected.focus();
    await page.keyboard.press("ArrowRight");
    await expect(selected).toContainText("Flame");
    await expect(selected).toBeFocused();
    await page.keyboard.press("?");
    await expect(page.getByRole("dialog")).toBeVisible();
    await page.getByLabel("single-key shortcuts off").check();
    await page.keyboard.press("Escape");
    await expect(page.getByRole("dialog")).toBeHidden();
    await page.keyboard.press("4");
    await page.waitForTimeout(100);
    await expect(selected).toContainText("Flame");
    await page.getByRole("button", { name: "Help" }).click();
    await page.getByRole("button", { name: "Close", exact: true }).click();
    await page.locator("#search").fill("3");
    await expect(selected).toContainText("Flame");
  });

  test("the keyboard alone reaches the view, and focus is seen", async ({ page, open }) => {
    await open(sample());
    await page.keyboard.press("Tab");
    await expect(page.locator(":focus")).toHaveText("To the view");
    await expect(page.locator(":focus")).toHaveCSS("outline-style", "solid");
    await page.keyboard.press("Enter");
    await expect(page.locator("#view")).toBeFocused();
    const reached = new Set();
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press("Tab");
      reached.add(
        await page.evaluate(() => document.activeElement?.getAttribute("role") ?? document.activeElement?.id ?? ""),
      );
    }
    for (const stop of ["grid", "tab", "search", "metric"]) expect([...reached]).toContain(stop);
  });

  test("the theme follows the system until it is chosen", async ({ page, open }) => {
    await page.emulateMedia({ colorScheme: "dark" });
    await open(sample());
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(await background()).toBe("rgb(20, 23, 27)");
    await page.getByRole("button", { name: "Theme: system" }).click();
    expect(await background()).toBe("rgb(255, 255, 255)");
    await page.reload();
    expect(await background()).toBe("rgb(255, 255, 255)");
    await page.getByRole("button", { name: "Theme: light" }).click();
    expect(await background()).toBe("rgb(20, 23, 27)");
  });

  test("on paper: light, whole tables, no controls, what was lost", async ({ page, open }) => {
    await page.emulateMedia({ colorScheme: "dark" });
    await open(sample());
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    await page.emulateMedia({ media: "print", colorScheme: "dark" });
    await expect(page.locator(".controls")).toBeHidden();
    await expect(page.locator(".lost")).toBeVisible();
    expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe("rgb(255, 255, 255)");
    expect((await page.pdf()).length).toBeGreaterThan(10_000);
  });

  test("on paper the flame graph is light at once, and dark again afterwards", async ({ page, open }) => {
    await page.emulateMedia({ colorScheme: "dark" });
    await open(sample(), { hash: "#v=flame" });
    // The browser prints when the handlers of the event have returned.
    const ground = (event) =>
      page.evaluate(async (name) => {
        if (name) dispatchEvent(new Event(name));
        await Promise.resolve();
        const canvas = document.querySelector("canvas.graph");
        const pixel = new OffscreenCanvas(1, 1).getContext("2d");
        pixel.drawImage(canvas, -4, 4 - canvas.height);
        return [...pixel.getImageData(0, 0, 1, 1).data].slice(0, 3);
      }, event);
    await expect.poll(() => ground()).toEqual([20, 23, 27]);
    expect(await ground("beforeprint")).toEqual([255, 255, 255]);
    expect(await ground("afterprint")).toEqual([20, 23, 27]);
  });

  test("a scope without allocations says so on every view", async ({ page, open }) => {
    await open(new TraceMaker().json({ strings: [], threads: { name: [], id: [] } }));
    await expect(page.getByText("Nothing was allocated in this scope.")).toBeVisible();
    await view(page, "Flame");
    await expect(page.getByText("Nothing has any live here.")).toBeVisible();
    await view(page, "Tree");
    await expect(page.getByText("No frame has any event here.")).toBeVisible();
    await view(page, "Tables");
    await expect(page.getByText("Nothing was allocated here under the filters.")).toBeVisible();
    await view(page, "Summary");
    await expect(page.getByText("There are too few events for a picture")).toBeVisible();
  });

  test("only blocks without a frame: the flame graph says where to look", async ({ page, open }) => {
    const maker = new TraceMaker();
    maker.add([], { size: 8, allocated: 2, live: 2 });
    await open(maker.json(), { hash: "#v=flame" });
    await expect(page.getByText("allocated outside of any frame that is known")).toBeVisible();
    await view(page, "Source");
    await expect(grid(page)).toContainText("no line is known");
  });

  test("a browser without DecompressionStream", async ({ page, open }) => {
    await page.addInitScript(() => delete globalThis.DecompressionStream);
    await open(sample());
    await expect(page.locator("header")).toContainText("live 12.5 MiB");
  });

  test("damaged data and newer formats are said, and the static part stays", async ({ page, open }) => {
    const fixed = "<table><tr><td>12.5 MiB</td></tr></table>";
    for (const data of ["%", "eyJmb3JtYXQiOg==", gzipSync('{"format":').toString("base64")]) {
      await open(null, { data, fixed, ready: false });
      await expect(page.getByRole("alert")).toContainText("The trace in this page is damaged.");
      await expect(page.locator("#static")).toContainText("12.5 MiB");
    }
    await open({ ...sample(), version: 9 }, { fixed, ready: false });
    await expect(page.getByRole("alert")).toContainText("format version 9; this page reads up to version 1");
    await expect(page.locator("#static")).toBeVisible();
  });
});
