import assert from "node:assert/strict";
import { test } from "node:test";
import { viewer } from "./modules.mjs";

const { size, count, signed, percent, printable, middleCut, csv, matcher, shownLines } = viewer;

test("sizes have 1024 units, one decimal, half up, the same as the engine's text", () => {
  const vectors = [
    [0, "0 B"],
    [60, "60 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [1075, "1.0 KiB"],
    [1076, "1.1 KiB"],
    [8057, "7.9 KiB"],
    [1048524, "1023.9 KiB"],
    [1048525, "1.0 MiB"],
    [4800912, "4.6 MiB"],
    [1024 ** 3, "1.0 GiB"],
    [1024 ** 4 * 2000, "2000.0 TiB"],
    [-8057, "\u22127.9 KiB"],
  ];
  for (const [bytes, text] of vectors) assert.equal(size(bytes), text);
});

test("counts, shares and changes", () => {
  assert.equal(count(100120), "100,120");
  assert.equal(count(-1234567), "\u22121,234,567");
  assert.equal(signed(1024, size), "+1.0 KiB");
  assert.equal(signed(-1024, size), "\u22121.0 KiB");
  assert.equal(signed(0, size), "±0");
  assert.equal(percent(1, 3), "33.3 %");
  assert.equal(percent(1, 100000), "< 0.1 %");
  assert.equal(percent(0, 5), "0.0 %");
  assert.equal(percent(5, 0), "");
});

test("names cannot act or hide: controls, direction marks and lone surrogates are spelled out", () => {
  assert.equal(printable("a\x1b[31m\0b"), "a\\x1b[31m\\x00b");
  assert.equal(printable("\u202eevil\u2066"), "\\u202eevil\\u2066");
  assert.equal(printable("bad\udc80name \u{1f600}"), "bad\\udc80name \u{1f600}");
  assert.equal(printable("\tx", true), "\tx");
  assert.equal(printable("\tx"), "\\x09x");
  assert.equal(printable("plain é ü 漢字"), "plain é ü 漢字");
  assert.equal(middleCut("0123456789", 5), "01…89");
});

test("no cell of a CSV copy is a formula", () => {
  assert.equal(
    csv([["=1+1", "@x", "+a", "-b", 'q"uote', "a,b", -5, "x\ny"]]),
    `'=1+1,'@x,'+a,'-b,"q""uote","a,b",-5,"x\ny"`,
  );
});

test("a search is a regular expression if it is one, and capitals count if there are any", () => {
  assert.ok(matcher("lo+d").test("LOOOD"));
  assert.ok(!matcher("Load").test("load"));
  assert.ok(matcher("f(").test("call f(x)"));
});

test("functions that ran are shown, with their decorators, and nothing of the others", () => {
  const lines = [
    "import os",
    "",
    "",
    "",
    "",
    "@cached",
    "def ran(",
    "    a,",
    "):",
    "    if a:",
    "",
    "        return [a]",
    "    return None",
    "",
    "",
    "",
    "def other():",
    "    pass",
    "    pass",
    "    pass",
  ];
  const shown = [...shownLines(lines, 1, [12], [])].map((flag, index) => (flag ? index + 1 : 0)).filter(Boolean);
  assert.deepEqual(shown, [6, 7, 8, 9, 10, 11, 12, 13]);
  const part = [...shownLines(lines, 101, [112], [])].map((flag, index) => (flag ? index + 101 : 0)).filter(Boolean);
  assert.deepEqual(part, [106, 107, 108, 109, 110, 111, 112, 113]);
  assert.deepEqual([...shownLines(["x = 1", "y = 2"], 1, [1], [])], [1, 1]);
});

test("of C++ the function in braces is shown", () => {
  const lines = ["#include <a>", "", "", "", "int f() {", "  int a = 0;", "  g(a);", "}", "", "", "", "int h() {", "}"];
  const shown = [...shownLines(lines, 1, [7], [])].map((flag, index) => (flag ? index + 1 : 0)).filter(Boolean);
  assert.deepEqual(shown, [5, 6, 7, 8]);
});
