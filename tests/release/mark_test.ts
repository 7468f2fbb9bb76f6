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
  assert.match(
    marked,
    /short: \(function\(\) \{ return 1; \}\), get long\(\) .* plain: \(function \(\) .*\}\) \};/,
  );
  assert.match(marked, /static \{ Object.*out: \(function\(\) \{ .* static make = \(\(\) => new Box\(\)\);/s);
  assert.match(marked, /^function untouched\(\)/m);
  const before = await load(program);
  const after = await load(marked);
  assert.deepEqual(after.all, before.all);
  assert.equal(String(after.name), "twice");
});

const methods = `class Base { greet() { return "base"; } }
class Shape extends Base {
  static first = new this("a").both();
  early = this.#secret(1);
  constructor(name) { super(); this.name = name; }
  #secret(n) { return this.name + n; }
  async later() { return this.#secret(2); }
  *[Symbol.iterator]() { yield 1; }
  *each() { yield* this; }
  async *slow() { yield this.name; }
  both() { return this.#secret(3) + Shape.#make().name; }
  greet() { return super.greet() + "!"; }
  get size() { return 4; }
  static #make() { return new this("m"); }
  static make() { return this.#make(); }
  inner() { return new class { out() { return "in"; } }().out(); }
}
function outer(n) {
  "use strict";
  const seen = inner(n);
  function inner(m) { return [m, this === undefined]; }
  return seen;
}
const odd = { __proto__() { return 5; }, *many() { yield 6; }, async one() { return 7; }, "with space"() { return 8; } };
const odder = { "__proto__"() { return 9; } };
const shape = new Shape("s");
const names = [];
for (const name in shape) names.push(name);
export const all = [
  Shape.first, shape.early, await shape.later(), [...shape.each()], await Array.fromAsync(shape.slow()), shape.both(),
  shape.greet(), shape.size, Shape.make().name, shape.inner(), names, shape.each.name, Shape.make.name, outer(1),
  odd.__proto__(), odder.__proto__(), [...odd.many()], await odd.one(), odd["with space"](), Object.keys(odd), odd.many.name,
  Object.getOwnPropertyDescriptor(Shape.prototype, "both").enumerable,
];
`;

Deno.test("markFunctions() keeps what methods are to each other, to fields and to those who look", async () => {
  const ends = Array.from(methods.matchAll(/\}/g), ({ index }) => index + 1);
  const marked = markFunctions(methods, new Set(ends));
  for (const each of ["#secret = (function(", "static #make = (function(", "later: (async function("]) {
    assert.ok(marked.includes(each), each);
  }
  assert.match(marked, /"use strict";\s*var inner = \(function\(m\)/);
  assert.match(marked, /greet\(\) \{ return super/);
  assert.match(marked, /"with space": \(function\(\) \{ return 8/);
  assert.match(marked, /__proto__\(\) \{.*"__proto__"\(\) \{/s);
  assert.deepEqual((await load(marked)).all, (await load(methods)).all);
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
