import assert from "node:assert/strict";
import { needsFirst } from "../../lib/needs_first.ts";

/** What each key needs, from `a: b c` rows. */
function needs(text: string): (key: string) => readonly string[] {
  const rows = new Map(
    text.split("\n").map((row) => {
      const [key = "", ...rest] = row.trim().split(/[: ]+/);
      return [key, rest];
    }),
  );
  return (key) => rows.get(key) ?? [];
}

Deno.test("needsFirst() gives each once, after what it needs, in the order of a recursion", () => {
  const of = needs("a: b c\nb: d\nc: d e\nf: a");
  assert.deepEqual(needsFirst(["a"], of), ["d", "b", "e", "c", "a"]);
  assert.deepEqual(needsFirst(["c", "f", "a"], of), ["d", "e", "c", "b", "a", "f"]);
  assert.deepEqual(needsFirst([], of), []);
});

Deno.test("needsFirst() tells of circles, each once, and goes on", () => {
  const ways: string[] = [];
  const of = needs("x: a\na: b b\nb: c d\nc: a\nd: d");
  assert.deepEqual(needsFirst(["x"], of, (way) => ways.push(way.join(" "))), ["c", "d", "b", "a", "x"]);
  assert.deepEqual(ways, ["a b c", "d"]);
});

Deno.test("needsFirst() goes as deep as it has to, and asks nobody twice", () => {
  const depth = 200_000;
  let asked = 0;
  const order = needsFirst([depth], (i: number) => {
    asked++;
    return i > 1 ? [i - 1, i - 2] : [];
  });
  assert.equal(order.length, depth + 1);
  assert.deepEqual([order[0], order.at(-1), asked], [1, depth, depth + 1]);
});
