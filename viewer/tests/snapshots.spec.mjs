import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { boxFont } from "./box_font.mjs";
import { difference, sample } from "./make_sample.mjs";
import { expect, test } from "./pages.mjs";

// Pictures of twelve views, compared by pixels: what no other test looks at, such as where things stand and in which colour.
// `npm run snapshots` takes them anew; look at each before committing it.
//
// They are the same on every machine because nothing of the machine is in them: the browser has no font but one made here, and what
// each version of it draws in a way of its own (lists to choose from, boxes to tick) is drawn plainly.

const STYLE = `
  select, input { appearance: none !important }
  input[type="checkbox"] { width: 14px; height: 14px; border: 1px solid; border-radius: 0 }
  input[type="checkbox"]:checked { background: currentColor }
  summary { list-style: none !important }
`;

const FONTS_CONF = (folder) => `<?xml version="1.0"?>
<fontconfig>
  <dir>${folder}</dir>
  <cachedir>${folder}</cachedir>
  <match target="font">
    <edit name="antialias" mode="assign"><bool>true</bool></edit>
    <edit name="autohint" mode="assign"><bool>false</bool></edit>
    <edit name="hinting" mode="assign"><bool>false</bool></edit>
    <edit name="hintstyle" mode="assign"><const>hintnone</const></edit>
    <edit name="rgba" mode="assign"><const>none</const></edit>
  </match>
</fontconfig>
`;

test.use({
  launchOptions: async ({ launchOptions }, use) => {
    const folder = mkdtempSync(join(tmpdir(), "snapshots-"));
    writeFileSync(join(folder, "regular.ttf"), boxFont());
    writeFileSync(join(folder, "bold.ttf"), boxFont({ bold: true }));
    writeFileSync(join(folder, "fonts.conf"), FONTS_CONF(folder));
    await use({
      ...launchOptions,
      args: [...launchOptions.args, "--force-color-profile=srgb", "--disable-gpu"],
      env: { ...process.env, FONTCONFIG_FILE: join(folder, "fonts.conf") },
    });
    rmSync(folder, { recursive: true });
  },
});

const VIEWS = {
  source: { hash: "" },
  "source-callees-search-dark": { hash: "#l=37&q=rows", dark: true, act: (page) => press(page, "Enter") },
  "source-700": { hash: "#m=allocated_bytes&s=0", width: 700 },
  "source-400-dark": { hash: "#l=42", width: 400, dark: true },
  flame: { hash: "#v=flame&m=allocated_bytes" },
  "flame-inverted-search-dark": { hash: "#v=flame&i=1&q=json&m=temporary_count", dark: true },
  "tree-700": { hash: "#v=tree&al=0", width: 700 },
  "tables-dark": { hash: "#v=tables&o=-allocated_bytes", dark: true },
  summary: { hash: "#v=summary", height: 1200 },
  "difference-source": { json: difference(), hash: "" },
  "difference-flame-dark": { json: difference(), hash: "#v=flame&m=allocated_bytes", dark: true },
  "forced-colours": { hash: "#l=43", forced: true },
};

const press = (page, key) => page.locator("table[role=grid]").press(key);

for (const [name, { json = sample(), hash, width = 1200, height = 700, dark, forced, act }] of Object.entries(VIEWS)) {
  test(`the view "${name}" looks as it did`, async ({ page, open }) => {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light", forcedColors: forced ? "active" : "none" });
    await open(json, { hash });
    await page.addStyleTag({ content: STYLE });
    await act?.(page);
    await page.mouse.move(0, 0);
    await expect(page).toHaveScreenshot(`${name}.png`);
  });
}
