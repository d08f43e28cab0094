import { sample } from "./make_sample.mjs";
import { expect, test } from "./pages.mjs";

test.use({ javaScriptEnabled: false });

for (const colorScheme of ["light", "dark"]) {
  test(`without JavaScript: the static part and a sentence, ${colorScheme}`, async ({ page, open }) => {
    await page.emulateMedia({ colorScheme });
    await open(sample(), { fixed: "<table><tr><td>12.5 MiB</td></tr></table>", ready: false });
    await expect(page.locator("noscript p")).toBeVisible();
    await expect(page.locator("noscript p")).toContainText("JavaScript is off.");
    await expect(page.locator("#static")).toContainText("12.5 MiB");
    await expect(page.locator("#app")).toBeEmpty();
    await page.screenshot({ path: `test-results/no_script_${colorScheme}.png` });
  });
}
