// Takes the picture of the README, docs/page.png: `npm run screenshot`. It traces examples/usage3a.py with the extension that
// scripts/build-dev has built (PYTHON names another interpreter).
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "@playwright/test";
import config from "./playwright.config.mjs";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const TRACED = `
import runpy, sys
runpy.run_path("examples/usage3a.py")["tracer"].last_trace.save(sys.argv[1])
`;

const folder = mkdtempSync(join(tmpdir(), "page-"));
try {
  const file = join(folder, "page.html");
  execFileSync(process.env.PYTHON ?? "build/venv-3.13/bin/python", ["-c", TRACED, file], {
    cwd: ROOT,
    env: { ...process.env, PYTHONPATH: "python" },
  });
  const browser = await chromium.launch(config.use.launchOptions);
  const page = await browser.newPage({ viewport: { width: 1340, height: 720 } });
  await page.goto(`file://${file}`);
  // The call and what it leads to, then back to the heaviest line.
  await page.getByRole("button", { name: "Callers and callees of line 23" }).click();
  await page.keyboard.press("g");
  await page.evaluate(() => document.activeElement.blur());
  await page.screenshot({ path: join(ROOT, "docs/page.png") });
  await browser.close();
} finally {
  rmSync(folder, { recursive: true });
}
