import assert from "node:assert/strict";
import { fillTemplate, isLiteral, parseTemplate, VariableError } from "../../../lib/dockerfile/variables.ts";

const REFUSED = Symbol("refused");
const env = new Map(Object.entries({
  A: "a.b.c",
  P: "/x/y/z.tar.gz",
  E: "",
  ROOT: "/srv",
  é: "accent",
  S: "a b*c",
}));

/** What BuildKit 0.25 (frontend/dockerfile/shell) was seen to make of each text between double quotes. */
const seen: readonly (readonly [string, string | typeof REFUSED])[] = [
  ["plain", "plain"],
  ["$ROOT/www", "/srv/www"],
  ["${ROOT}/www", "/srv/www"],
  ["$ROOTwww", ""],
  ["a$", "a$"],
  ["$.", "$."],
  ["$ ", "$ "],
  ["cost $5", "cost "],
  ["$12x", "x"],
  ["$$", ""],
  ["$@$*$#$?$-$!$0", ""],
  ["é=$é!", "é=accent!"],
  ["$constructor", ""],
  ["${toString:-x}", "x"],
  ["${hasOwnProperty-y}", "y"],
  ["$__proto__", ""],
  ["${DIR:-$ROOT/www}", "/srv/www"],
  ["${DIR:-${ROOT}/www}", "/srv/www"],
  ["${ROOT:+${ROOT}x}", "/srvx"],
  ["${E:-d}", "d"],
  ["${E-d}", ""],
  ["${N-d}", "d"],
  ["${N:-}", ""],
  ["${E:+s}", ""],
  ["${E+s}", "s"],
  ["${N+s}", ""],
  ["${ROOT?m}", "/srv"],
  ["${N?m}", REFUSED],
  ["${N:?}", REFUSED],
  ["${E:?m $ROOT}", REFUSED],
  ["${E?m}", ""],
  ["${N:-${M:-${ROOT:+${A}}}}", "a.b.c"],
  ["${N:-a}b}", "ab}"],
  ["${N:-a\\}b}", "a}b"],
  ["${N:-'a}b $ROOT'}", "a}b $ROOT"],
  ['${N:-"a}b $ROOT"}', "a}b /srv"],
  ['${N:-"\\"\\d"}', '"\\d'],
  ["${N:-it's}", REFUSED],
  ['${N:-"}', REFUSED],
  ["${N:-\\$ROOT}", "$ROOT"],
  ["${N:-$}", "$"],
  ["${ROOT", REFUSED],
  ["${ROOT:-x", REFUSED],
  ["${}", REFUSED],
  ["${", REFUSED],
  ["${:-x}", REFUSED],
  ["${ROOT=x}", REFUSED],
  ["${ROOT:x}", REFUSED],
  ["${{ROOT}}", REFUSED],
  ["${ROOT:#x}", REFUSED],
  ["${A#*.}", "b.c"],
  ["${A##*.}", "c"],
  ["${A%.*}", "a.b"],
  ["${A%%.*}", "a"],
  ["${P##*/}", "z.tar.gz"],
  ["${P%/*}", "/x/y"],
  ["${P#/}", "x/y/z.tar.gz"],
  ["${P%x}", "/x/y/z.tar.gz"],
  ["${P#??}", "/y/z.tar.gz"],
  ["${S#a b\\*}", "c"],
  ["${S%'*c'}", "a b*"],
  ["${A#\\a}", REFUSED],
  ["${N#x}", ""],
  ["${A#${A%.c}}", ".c"],
  ["${A%}", "a.b.c"],
];

function fill(text: string): string | typeof REFUSED {
  try {
    return fillTemplate(parseTemplate(text), env);
  } catch (error) {
    if (error instanceof VariableError) return REFUSED;
    throw error;
  }
}

Deno.test("fillTemplate() fills variables in as Docker does", async (t) => {
  for (const [text, want] of seen) await t.step(text, () => assert.equal(fill(text), want));
});

Deno.test("parseTemplate() leaves quotes and backslashes alone, except before a dollar", async (t) => {
  const cases = [
    [`it's "x" \\d \\\\ \\`, `it's "x" \\d \\\\ \\`],
    ["\\$ROOT", "$ROOT"],
    ["\\\\$ROOT", "\\/srv"],
    ["\\\\\\$ROOT", "\\$ROOT"],
    ["C:\\\\dir\\\\$ROOT", "C:\\\\dir\\/srv"],
  ] as const;
  for (const [text, want] of cases) await t.step(text, () => assert.equal(fill(text), want));
});

Deno.test("isLiteral() tells texts without variables", () => {
  assert.deepEqual(["a", "\\$A", "$A", "a$", "${A:-x}"].map((text) => isLiteral(parseTemplate(text))), [
    true,
    true,
    false,
    true,
    false,
  ]);
});

Deno.test("VariableError says what is wrong", () => {
  const cases = [
    ["${N:?set it}", `variable "N" is not set: set it`],
    ["${E:?}", `variable "E" is empty`],
    ["${ROOT", `"${"${ROOT"}" is not closed: "}" is missing`],
    ["${}", `"${"${}"}" names no variable`],
    [
      "${A=b}",
      `"${"${A="}" is not a way to write a variable: after the name come "}", "-", "+", "?" (each also with a ` +
      `colon before it), "#", "%" or "/"`,
    ],
  ] as const;
  for (const [text, message] of cases) {
    assert.throws(() => fillTemplate(parseTemplate(text), env), { name: "VariableError", message });
  }
});

Deno.test("templates neither nest nor grow without bound, and patterns take no time to speak of", () => {
  assert.equal(fill("${N:-".repeat(10_000) + "}".repeat(10_000)), REFUSED);
  const long = new Map([["L", "x".repeat(100_000)]]);
  assert.throws(() => fillTemplate(parseTemplate("$L".repeat(100)), long), VariableError);
  const a = new Map([["V", "a".repeat(20_000)]]);
  assert.equal(fillTemplate(parseTemplate("${V##*a*a*a*a*a*a*a*a*a*b}"), a), a.get("V"));
});
