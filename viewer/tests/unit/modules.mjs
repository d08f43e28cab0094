// The page's modules that need no browser, as one module for node.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const names = ["numbers", "text", "unfold", "load", "sums", "tree", "model"];
const result = await build({
  stdin: {
    contents: names.map((name) => `export * from "./${name}";`).join("\n"),
    resolveDir: fileURLToPath(new URL("../../src", import.meta.url)),
  },
  bundle: true,
  write: false,
  format: "esm",
});
export const viewer = await import(
  `data:text/javascript;base64,${Buffer.from(result.outputFiles[0].text).toString("base64")}`
);
