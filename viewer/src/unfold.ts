// Which lines of a file are worth showing: the functions that ran, found by their indentation, and a few lines around what ran elsewhere.

const AROUND = 3;
const LONGEST = 400;

const indent = (text: string) => text.length - text.trimStart().length;
const blank = (text: string) => text.trim() === "";

/** First and last index of the function around the line with index `at`, or null outside of any. */
function functionAround(lines: readonly string[], at: number): [number, number] | null {
  let inner = Number.POSITIVE_INFINITY;
  for (let i = at; i >= 0 && at - i < 4 * LONGEST; i--) {
    const text = lines[i] as string;
    // The parenthesis that closes a signature stands where `def` does.
    if (blank(text) || /^\s*\)/.test(text)) continue;
    const depth = indent(text);
    if (depth >= inner) continue;
    if (/^\s*(async\s+def|def)\b/.test(text) && (depth < inner || i === at)) return pythonFunction(lines, i, depth);
    if (/^\S.*[({,]?$/.test(text) && /[{};]\s*$/.test(lines[at] as string) && !/^[#}/]/.test(text))
      return braces(lines, i, at);
    inner = depth;
  }
  return null;
}

function pythonFunction(lines: readonly string[], def: number, depth: number): [number, number] {
  let first = def;
  while (first > 0 && /^\s*@/.test(lines[first - 1] as string) && indent(lines[first - 1] as string) === depth) first--;
  let last = def;
  for (let i = def + 1; i < lines.length; i++) {
    const text = lines[i] as string;
    if (blank(text)) continue;
    if (indent(text) <= depth && !/^\s*\)/.test(text)) break;
    last = i;
  }
  return [first, last];
}

function braces(lines: readonly string[], first: number, at: number): [number, number] {
  let last = at;
  while (last + 1 < lines.length && last - at < LONGEST && !/^}/.test(lines[last] as string)) last++;
  return [first, last];
}

/** For each line whether it is shown. Numbers are those of lines, `first` that of `lines[0]`. */
export function shownLines(
  lines: readonly string[],
  first: number,
  ran: Iterable<number>,
  sections: [number, number][],
): Uint8Array {
  const shown = new Uint8Array(lines.length);
  const show = (from: number, to: number) => shown.fill(1, Math.max(0, from), Math.min(lines.length, to + 1));
  for (const [from, to] of sections) show(from - first, to - first);
  for (const number of ran) {
    const at = number - first;
    if (at < 0 || at >= lines.length || shown[at]) continue;
    const around = functionAround(lines, at);
    if (around) show(...around);
    else show(at - AROUND, at + AROUND);
  }
  // A gap of one or two lines is longer as a button than as lines.
  for (let i = 1; i + 1 < lines.length; i++) {
    if (!shown[i] && shown[i - 1] && (shown[i + 1] || shown[i + 2])) shown[i] = 1;
  }
  return shown;
}
