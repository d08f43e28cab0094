import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { difference, sample } from "./make_sample.mjs";
import { expect, test } from "./pages.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

async function violations(page) {
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() => window.axe.run(document));
  return found.map(
    (one) => `${one.id}: ${one.nodes.map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`,
  );
}

for (const colorScheme of ["light", "dark"]) {
  for (const [name, json] of [
    ["trace", sample()],
    ["difference", difference()],
  ]) {
    test(`axe finds nothing in any view of a ${name}, ${colorScheme}`, async ({ page, open }) => {
      test.setTimeout(120_000);
      await page.emulateMedia({ colorScheme });
      await open(json, { hash: "#l=37&q=rows" });
      const grid = page.locator("table[role=grid]");
      await grid.press("Enter");
      for (const view of ["Source", "Flame", "Tree", "Tables", "Summary"]) {
        await page.getByRole("tab", { name: view }).click();
        expect(await violations(page)).toEqual([]);
      }
      await page.getByLabel("allocators", { exact: true }).selectOption("1");
      await page.keyboard.press("?");
      expect(await violations(page)).toEqual([]);
    });
  }
}

for (const [width, height] of [
  [700, 1000],
  [400, 800],
  [400, 250],
]) {
  test(`nothing is lost at ${width} by ${height}: no sideways scroll, every view works`, async ({ page, open }) => {
    await page.setViewportSize({ width, height });
    await open(sample());
    for (const view of ["Source", "Flame", "Tree", "Tables", "Summary"]) {
      await page.getByRole("tab", { name: view }).click();
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      if (view === "Flame" || view === "Summary") continue;
      const number = page.locator(".scroll .bars .num").first();
      await number.scrollIntoViewIfNeeded();
      await expect(number).toBeInViewport({ ratio: 0.99 });
      expect(await page.evaluate(() => document.querySelector(".scroll").scrollLeft)).toBe(0);
    }
    await page.getByRole("tab", { name: "Source" }).click();
    const tops = await page
      .locator(".ten tr.chosen > *")
      .evaluateAll((cells) => cells.map((cell) => cell.getBoundingClientRect().top));
    expect(new Set(tops).size).toBe(1);
    await page.locator("tr.selected").scrollIntoViewIfNeeded();
    await expect(page.locator("tr.selected .num").first()).toBeInViewport();
    expect(await violations(page)).toEqual([]);
  });
}

// The token table of the style sheet: text 4.5, graphics 3.
test("contrast of the colours, light and dark", async ({ page, open }) => {
  await open(sample());
  for (const theme of ["light", "dark"]) {
    const tokens = await page.evaluate((name) => {
      document.getElementById("dark").media = name === "dark" ? "screen" : "not all";
      const style = getComputedStyle(document.documentElement);
      const names = ["bg", "surface", "fg", "muted", "accent", "barbox", "cap", "allbox", "yours", "library", "native"];
      names.push("grow", "shrink", "growbox", "shrinkbox", "keyword", "string", "comment", "hit", "hitrow", "amber");
      return Object.fromEntries(names.map((one) => [one, style.getPropertyValue(`--${one}`).trim()]));
    }, theme);
    const light = (hex) =>
      [1, 3, 5]
        .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
    const contrast = (a, b) => {
      const [low, high] = [light(tokens[a]), light(tokens[b])].sort((x, y) => x - y);
      return (high + 0.05) / (low + 0.05);
    };
    const texts = ["fg", "muted", "accent", "grow", "shrink", "keyword", "string", "comment"].flatMap((name) => [
      [name, "bg"],
      [name, "surface"],
    ]);
    for (const box of ["barbox", "allbox", "yours", "library", "native", "growbox", "shrinkbox", "amber", "hitrow"])
      texts.push(["fg", box]);
    for (const [text, ground] of texts)
      expect(contrast(text, ground), `${theme}: ${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
    for (const [mark, ground] of [
      ["cap", "bg"],
      ["accent", "bg"],
      ["hit", "bg"],
    ])
      expect(contrast(mark, ground), `${theme}: ${mark} on ${ground}`).toBeGreaterThanOrEqual(3);
  }
});
