import assert from "node:assert/strict";
import { IgnoreError, parseIgnore } from "../../../lib/dockerfile/ignore.ts";

Deno.test("no ignore pattern takes longer than its length times that of a path", () => {
  const path = "a/".repeat(100) + "a".repeat(250);
  const ignored = (text: string) => parseIgnore(text).look(path, undefined).ignored;
  // A backtracking matcher is not done with these before the sun burns out.
  assert.equal(ignored(`**/${"*a".repeat(40)}*b*`), false);
  assert.equal(ignored("**/a".repeat(40) + "/b*"), false);
  assert.equal(ignored(`**/${"*a".repeat(40)}*`), true);
  assert.equal(ignored("**/a/".repeat(40) + "a*"), true);
});

Deno.test("parseIgnore() names the line of a range that runs backwards", () => {
  assert.throws(() => parseIgnore("*.md\n[z-a]*\n"), (error) => {
    assert.ok(error instanceof IgnoreError);
    assert.equal(error.line, 2);
    assert.equal(error.message, '"[z-a]*" has a range that runs backwards');
    return true;
  });
});
