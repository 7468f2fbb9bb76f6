import assert from "node:assert/strict";
import { markFunctions } from "../../release/mark.ts";

/** Offsets at which the named pieces of a text end. */
function endsOf(text: string, ...pieces: readonly string[]): ReadonlySet<number> {
  return new Set(pieces.map((piece) => {
    const at = text.indexOf(piece);
    assert.notEqual(at, -1, piece);
    return at + piece.length;
  }));
}

async function load(text: string): Promise<Record<string, unknown>> {
  return await import(`data:text/javascript,${encodeURIComponent(text)}`);
}

const program = `import { equal } from "node:assert/strict";
// "ä" and "𝄞": offsets are those of JavaScript
export const early = twice(4), name = twice.name;
function twice(n) { return again(n) * 2; }
async function* count(to) { for (let i = 0; i < to; i++) yield i; }
function again(n) { again = (m) => m + 1; return n; }
const plus = (a) => (b) => a + b;
const table = { short() { return 1; }, get long() { return 2; }, plain: function () { return this.short(); } };
class Box { #in = 3; out() { return this.#in; } static make = () => new Box(); }
function untouched() { return 5; }
export const all = [
  early, name, await Array.fromAsync(count(3)), again(7), plus(1)(2), table.plain(), table.long, Box.make().out(),
  untouched(),
];
equal(all.length, 9);
export { twice };
`;

Deno.test("markFunctions() puts functions into parentheses and changes nothing that they do", async () => {
  const marked = markFunctions(
    program,
    endsOf(
      program,
      "return again(n) * 2; }",
      "yield i; }",
      "return n; }",
      "(b) => a + b",
      "{ return 1; }",
      "{ return 2; }",
      "{ return this.short(); }",
      "{ return this.#in; }",
      "=> new Box()",
    ),
  );
  assert.match(marked, /^import .*\nvar twice = \(function\(n\) \{ return again\(n\) \* 2; \}\);$/m);
  assert.match(marked, /^var count = \(async function\*\(to\)/m);
  assert.match(marked, /const plus = \(\(a\) => \(\(b\) => a \+ b\)\);/);
  assert.match(marked, /short\(\) \{ return 1; \}, get long\(\) .* plain: \(function \(\) .*\}\) \};/);
  assert.match(marked, /out\(\) \{ .* static make = \(\(\) => new Box\(\)\);/);
  assert.match(marked, /^function untouched\(\)/m);
  const before = await load(program);
  const after = await load(marked);
  assert.deepEqual(after.all, before.all);
  assert.equal(String(after.name), "twice");
});

Deno.test("markFunctions() leaves a text alone that has nothing to be marked", () => {
  assert.equal(markFunctions(program, new Set([1, program.length])), program);
});

Deno.test("markFunctions() marks a function that a text begins with", async () => {
  const text = "function first() { return second(); }\nfunction second() { return 2; }\nexport { first };\n";
  const marked = markFunctions(text, endsOf(text, "second(); }", "return 2; }"));
  assert.equal(
    marked,
    "\nvar second = (function() { return 2; });\nvar first = (function() { return second(); });\n\nexport { first };\n",
  );
  const { first } = await load(marked);
  assert.ok(typeof first === "function");
  assert.equal(first(), 2);
});
