import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { difference, sample } from "../make_sample.mjs";
import { bigTrace, pageOf } from "../traces.mjs";

test("tests/data is what make_sample.mjs writes", () => {
  for (const [name, json] of [
    ["sample", sample()],
    ["difference", difference()],
  ]) {
    const kept = JSON.parse(readFileSync(new URL(`../data/${name}.json`, import.meta.url), "utf8"));
    assert.deepEqual(kept, JSON.parse(JSON.stringify(json)));
  }
});

test("the template has each mark once, and one program", () => {
  const page = readFileSync(new URL("../../../src/report/page.html", import.meta.url), "utf8");
  for (const mark of ["<!--malloc_tracer:static-->", "<!--malloc_tracer:trace-->"]) {
    assert.equal(page.split(mark).length, 2);
  }
  assert.equal(page.split("<script").length, 2);
  assert.equal(page.split("</script").length, 2);
});

test("a page of 100,000 nodes, with source and random numbers, takes 1.5 MB at most", () => {
  assert.ok(Buffer.byteLength(pageOf(bigTrace(100_000))) <= 1_500_000);
});
