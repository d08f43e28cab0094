import { defineConfig } from "@playwright/test";

// The browser of the system; MALLOC_TRACER_CHROMIUM names another one. Root has no sandbox there.
export default defineConfig({
  testDir: "tests",
  testMatch: "*.spec.mjs",
  outputDir: "test-results",
  snapshotPathTemplate: "tests/snapshots/{arg}{ext}",
  // A colour or a line that moved shows; what a rounding of the browser does at an edge does not.
  expect: { toHaveScreenshot: { threshold: 0.03, maxDiffPixels: 10 } },
  timeout: 30_000,
  workers: 1,
  reporter: "line",
  use: {
    actionTimeout: 5000,
    viewport: { width: 1600, height: 1000 },
    launchOptions: {
      executablePath: process.env.MALLOC_TRACER_CHROMIUM ?? "/usr/bin/chromium",
      args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    },
  },
});
