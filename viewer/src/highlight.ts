import hljs from "highlight.js/lib/core";
import cpp from "highlight.js/lib/languages/cpp";
import python from "highlight.js/lib/languages/python";

// Source text as coloured tokens, line by line. Nothing of the highlighter's HTML reaches the page: it is taken apart into class and text.

hljs.registerLanguage("python", python);
hljs.registerLanguage("cpp", cpp);

export interface Token {
  kind: string;
  text: string;
}

/** Above this the colours are not worth the wait. */
const LONGEST = 600_000;

function language(name: string): string | null {
  if (/\.pyw?$|^<(ipython|stdin|string)/.test(name)) return "python";
  return /\.(c|cc|cpp|cxx|h|hh|hpp|hxx)$/.test(name) ? "cpp" : null;
}

export function highlight(name: string, lines: readonly string[]): Token[][] {
  const chosen = language(name);
  const text = lines.join("\n");
  if (!chosen || text.length > LONGEST) return lines.map((line) => [{ kind: "", text: line }]);
  const template = document.createElement("template");
  template.innerHTML = hljs.highlight(text, { language: chosen, ignoreIllegals: true }).value;
  const result: Token[][] = [[]];
  const take = (node: Node, kind: string) => {
    if (node.nodeType === Node.TEXT_NODE) {
      (node.nodeValue ?? "").split("\n").forEach((piece, index) => {
        if (index > 0) result.push([]);
        if (piece) result[result.length - 1]?.push({ kind, text: piece });
      });
      return;
    }
    const own = node instanceof Element ? (/hljs-([a-z]+)/.exec(node.className)?.[1] ?? "") : "";
    for (const child of node.childNodes) take(child, own || kind);
  };
  take(template.content, "");
  // A line of text that the parser of HTML would change (a NUL, a lone carriage return) is shown as it is, without colours.
  return lines.map((line, index) => {
    const tokens = result[index] ?? [];
    return tokens.map((token) => token.text).join("") === line ? tokens : [{ kind: "", text: line }];
  });
}
