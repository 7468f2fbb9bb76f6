import assert from "node:assert/strict";
import { expandExpressions } from "../../../core/config/expression.ts";

const env = { A: "a", EMPTY: "", NEST: "${{ env.A }}" };

Deno.test("expandExpressions() replaces expressions and nothing else", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["", ""],
    ["plain $A ${A} {{ .A }}", "plain $A ${A} {{ .A }}"],
    ["${{ env.A }}${{env.A}}", "aa"],
    ["x${{ env.A\n}}y", "xay"],
    ['${{ env.NO || "q\\"q\\\\" }}', 'q"q\\'],
    ["${{ env.NO || 'say \"x\"' }}", 'say "x"'],
    ['${{ env.NO || "}}" }}', "}}"],
    ['${{ env.NO || "" }}', ""],
    ["${{ env.NO || 1.10 }}", "1.10"],
    ["${{ env.NO || env.EMPTY || x }}", ""],
    ["$${{ env.A }}", "${{ env.A }}"],
    ["$$${{ env.A }}", "$${{ env.A }}"],
    ["$${{ ${{ env.A }}", "${{ a"],
    ["${{ env.NEST }}", "${{ env.A }}"],
  ];
  for (const [text, want] of cases) {
    const { text: found, failures } = expandExpressions(text, env);
    assert.deepEqual([found, failures], [want, []], text);
  }
});

Deno.test("expandExpressions() names every variable that it looked up", () => {
  assert.deepEqual(expandExpressions("${{ env.NO || env.A || env.B }} ${{ env.A }}", env).names, [
    "NO",
    "A",
    "A",
  ]);
});

Deno.test("expandExpressions() says which expression has no value", () => {
  const { failures } = expandExpressions("$${{ ${{ env.NO }} ${{ env.A }} ${{ b.C }} ${{", env);
  assert.deepEqual(failures.map(({ occurrence }) => occurrence), [1, 3, 4]);
});
