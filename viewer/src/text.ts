// Names, paths and source text come from the traced program: nothing in them may act on the page or hide what it is.

function isControl(point: number): boolean {
  return point < 0x20 || (point >= 0x7f && point < 0xa0);
}

// What reorders the text around it ("Trojan source") or ends a line for some readers.
function reorders(point: number): boolean {
  return (
    point === 0x061c ||
    point === 0x200e ||
    point === 0x200f ||
    (point >= 0x2028 && point <= 0x202e) ||
    (point >= 0x2066 && point <= 0x2069) ||
    point === 0xfeff
  );
}

// Everything that `printable` would change, so that the usual name costs one test.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const ODD = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufeff]/;

const hex = (point: number, digits: number) => point.toString(16).padStart(digits, "0");

/** The text with control characters as \x1b, direction marks as \u202e and lone surrogates as \udc80. Tabs stay if asked. */
export function printable(text: string, keepTabs = false): string {
  if (!ODD.test(text)) return text;
  let shown = "";
  for (const letter of text) {
    const point = letter.codePointAt(0) ?? 0;
    if (point === 9 && keepTabs) shown += letter;
    else if (isControl(point)) shown += `\\x${hex(point, 2)}`;
    else if (reorders(point) || (point >= 0xd800 && point <= 0xdfff)) shown += `\\u${hex(point, 4)}`;
    else shown += letter;
  }
  return shown;
}

/** At most `limit` characters, the middle left out. */
export function middleCut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const head = Math.ceil((limit - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (limit - 1 - head))}`;
}

/** The last two parts of a path: enough to know the file. */
export function shortPath(path: string): string {
  return path.split("/").slice(-2).join("/");
}

/** One cell of a CSV file: quoted if needed, and never a formula for a spreadsheet. */
function csvCell(value: string | number): string {
  if (typeof value === "number") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csv(rows: (string | number)[][]): string {
  return rows.map((row) => row.map(csvCell).join(",")).join("\r\n");
}

/** A regular expression if it is one, else the text itself; capital letters only count if there are any. */
export function matcher(query: string): RegExp {
  const flags = query === query.toLowerCase() ? "iu" : "u";
  try {
    return new RegExp(query, flags);
  } catch {
    return new RegExp(query.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&"), flags);
  }
}

/** FNV-1a, 32 bits: a short name for a path of frames in the address. */
export function fnv1a(text: string, seed = 0x811c9dc5): number {
  let hash = seed;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
