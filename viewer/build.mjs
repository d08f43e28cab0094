// Builds src/report/page.html, the template of every HTML report: style and program in one file, with two marks where the writer puts
// the part that needs no script and the trace. `node build.mjs --check` only says whether the file in the repository is what the
// sources make.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const TEMPLATE = here("../src/report/page.html");
const LARGEST = 250 * 1024;
const BUNDLED = ["preact", "@preact/signals", "@preact/signals-core", "highlight.js", "fflate"];

async function program() {
  const result = await build({
    entryPoints: [here("src/main.tsx")],
    bundle: true,
    write: false,
    minify: true,
    format: "iife",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    jsx: "automatic",
    jsxImportSource: "preact",
    absWorkingDir: here("."),
  });
  // An element of HTML ends at the first such text, wherever it stands; as an escape it means the same to the program.
  return result.outputFiles[0].text.replaceAll("</script", "<\\/script").replaceAll("<!--", "<\\!--").trim();
}

function licences() {
  return BUNDLED.map((name) => {
    const { version } = JSON.parse(readFileSync(here(`node_modules/${name}/package.json`), "utf8"));
    return `${name} ${version}\n\n${readFileSync(here(`node_modules/${name}/LICENSE`), "utf8")
      .trim()
      .replaceAll("--", "- -")}`;
  }).join("\n\n");
}

async function style(path) {
  return (await transform(readFileSync(here(path), "utf8"), { loader: "css", minify: true })).code.trim();
}

const script = await program();
const parts = {
  HASH: `sha256-${createHash("sha256").update(script).digest("base64")}`,
  STYLE: await style("src/page.css"),
  DARK: await style("src/dark.css"),
  PROGRAM: script,
  LICENCES: `Bundled in this file:\n\n${licences()}`,
};
const page = readFileSync(here("src/page.html"), "utf8").replace(/\{\{([A-Z]+)\}\}/g, (_, name) => parts[name]);
if (Buffer.byteLength(page) > LARGEST)
  throw new Error(`The page has ${Buffer.byteLength(page)} bytes, more than ${LARGEST}`);

if (process.argv.includes("--check")) {
  if (readFileSync(TEMPLATE, "utf8") !== page) {
    console.error("src/report/page.html is not what viewer/ makes: run `npm run build` in viewer/ and commit it");
    process.exit(1);
  }
  console.log(`src/report/page.html is up to date, ${Buffer.byteLength(page)} bytes`);
} else {
  mkdirSync(here("../src/report"), { recursive: true });
  writeFileSync(TEMPLATE, page);
  console.log(`src/report/page.html: ${Buffer.byteLength(page)} bytes`);
}
