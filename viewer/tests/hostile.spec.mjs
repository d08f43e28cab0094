import { expect, test } from "./pages.mjs";
import { TraceMaker } from "./traces.mjs";

// Names, paths, source, threads and commands are whatever the traced program says they are. None of it may run, break the page's
// structure, or turn the text around it.

const RUN = "window.pwned = (window.pwned ?? 0) + 1";
const NAMES = [
  `</script><script>${RUN}</script>`,
  `<img src=x onerror="${RUN}">`,
  `"><svg onload="${RUN}">`,
  `' onmouseover='${RUN}`,
  `javascript:${RUN}`,
  `<!--<script>${RUN}</script>`,
  "]]><b>bold</b>",
  "{{constructor.constructor('window.pwned=1')()}}",
  "nul\0 esc\x1b[31m newline\n return\r tab\t",
  "\u202egnp.exe\u2066\u2069\u200f",
  "lone \udc80 surrogate \ud800",
  `z${"\u0323\u0307".repeat(300)}algo`,
  "x".repeat(10_000),
  "__proto__",
  "constructor",
  "=HYPERLINK(1)",
  "&lt;b&gt;&amp;",
  "\u2028\u2029",
];

function hostile() {
  const maker = new TraceMaker();
  for (const [index, name] of NAMES.entries()) {
    const next = NAMES[(index + 1) % NAMES.length];
    maker.add(
      [
        [name, next, 1],
        [`/${next}`, name, 2],
      ],
      { size: 1000 - index, allocated: 3, live: 2, peak: 2, thread: name, allocator: next },
    );
  }
  return maker.json({
    name: NAMES[0],
    python_version: NAMES[1],
    writer: NAMES[2],
    command: NAMES,
    sources: NAMES.map((name) => [name, 1, `${NAMES.join("\n")}\n# ${name}`]),
    listing: [[NAMES[0], 1, 9]],
    lost: [[NAMES[3], 5]],
  });
}

test("no name runs, changes the page or breaks its layout, in any view", async ({ page, open }) => {
  const json = hostile();
  await open(json, { fixed: "<p>static</p>" });
  const safe = async () => {
    expect(await page.evaluate(() => window.pwned)).toBeUndefined();
    // Nothing but what the page itself makes: no element of a name, no handler, no second program.
    expect(
      await page.evaluate(
        () =>
          document.querySelectorAll("#app :is(script, img, b:not(header b, .cards b, .lost b, figcaption b), iframe)")
            .length,
      ),
    ).toBe(0);
    expect(await page.evaluate(() => document.scripts.length)).toBe(2);
    expect(
      await page.evaluate(() =>
        [...document.querySelectorAll("#app *")].some((element) =>
          [...element.attributes].some((one) => one.name.startsWith("on")),
        ),
      ),
    ).toBe(false);
    // No control and no direction mark reaches the text; line breaks are those of the page.
    expect(
      await page.evaluate(() => {
        const odd =
          /[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]|[\ud800-\udbff](?![\udc00-\udfff])/;
        return document.body.innerText.split("\n").find((line) => odd.test(line)) ?? null;
      }),
    ).toBeNull();
    expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true);
  };
  await safe();
  await expect(page.locator("header h1")).toHaveText(/<\/script><script>window\.pwned/);
  for (const name of ["Flame", "Tree", "Tables", "Summary"]) {
    await page.getByRole("tab", { name }).click();
    await safe();
  }
  await page.getByRole("tab", { name: "Tables" }).click();
  for (const name of [/^Functions/, /^Files/, /^Threads/, /^Allocators/]) {
    await page.getByRole("button", { name }).click();
    await safe();
  }
  await page.getByRole("button", { name: "Copy as CSV" }).click();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toContain("'=HYPERLINK(1)");
  await page.getByLabel("threads", { exact: true }).selectOption({ index: 5 });
  await safe();
});

test("every file can be opened, and shows controls as text", async ({ page, open }) => {
  await open(hostile());
  for (let i = 0; i < NAMES.length; i++) {
    await page.keyboard.press("]");
    expect(await page.evaluate(() => window.pwned)).toBeUndefined();
  }
  await page.keyboard.press("1");
  await page.getByLabel("all lines").check();
  const code = page.locator("td.code");
  for (const text of ["nul\\x00 esc\\x1b[31m newline", "\\u202egnp.exe\\u2066", "lone \\udc80 surrogate \\ud800"]) {
    await expect(code.filter({ hasText: text }).first()).toBeVisible();
  }
});

test("a hostile address is text as well", async ({ page, open }) => {
  await open(hostile(), { hash: `#v=tables&q=${encodeURIComponent(NAMES[1])}&${encodeURIComponent(NAMES[0])}=1` });
  expect(await page.evaluate(() => window.pwned)).toBeUndefined();
  await expect(page.locator("#search")).toHaveValue(NAMES[1]);
  await expect(page.locator(".notice")).toBeVisible();
});

test("the page forbids itself the network and foreign scripts", async ({ page, open }) => {
  await open(hostile());
  const policy = await page.locator("meta[http-equiv]").getAttribute("content");
  expect(policy).toMatch(
    /^default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[\w+/=]+'; img-src data:; base-uri 'none'; form-action 'none'$/,
  );
});

test("source that the parser of HTML would change is shown as it is", async ({ page, open }) => {
  const maker = new TraceMaker();
  const lines = ["def f():", '    a = "nul\0 <b>&amp;</b>"  # </span><i>', "    return '\r'"];
  maker.add([["/a.py", "f", 2]], { size: 8, allocated: 1, live: 1 });
  await open(maker.json({ sources: [["/a.py", 1, lines.join("\n")]] }));
  await expect(page.locator("td.code")).toHaveText([
    "def f():",
    '    a = "nul\\x00 <b>&amp;</b>"  # </span><i>',
    "    return '\\x0d'",
  ]);
  await expect(page.locator("td.code .t-keyword")).toHaveText(["def"]);
});
