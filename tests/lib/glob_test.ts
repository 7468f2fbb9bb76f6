import assert from "node:assert/strict";
import { compileGlob, GlobError, matchName } from "../../lib/glob.ts";

Deno.test("compileGlob() matches paths and everything below them", async (t) => {
  const cases: readonly { pattern: string; yes: readonly string[]; no: readonly string[] }[] = [
    { pattern: "a", yes: ["a", "a/b", "a/b/c"], no: ["b", "ab", "b/a", "A"] },
    { pattern: "a/b", yes: ["a/b", "a/b/c"], no: ["a", "a/bc", "x/a/b"] },
    { pattern: "/a/", yes: ["a", "a/b"], no: ["b"] },
    { pattern: "./a//b/", yes: ["a/b", "a/b/c"], no: ["a"] },
    { pattern: "", yes: ["a", ".a", "a/b"], no: [] },
    { pattern: ".", yes: ["a", "a/b"], no: [] },
    { pattern: "*", yes: ["a", ".a", "a/b", "\n"], no: [] },
    { pattern: "*.js", yes: ["a.js", ".js", ".a.js", "a.js/b"], no: ["a/b.js", "a.jsx", "ajs"] },
    { pattern: "src/*", yes: ["src/a", "src/.a", "src/a/b"], no: ["src", "srcs/a"] },
    { pattern: "src/*/x", yes: ["src/a/x", "src/a/x/y"], no: ["src/x", "src/a/b/x"] },
    { pattern: "**", yes: ["a", "a/b", ".a"], no: [] },
    { pattern: "**/*", yes: ["a", "a/b", "a/.b/c"], no: [] },
    { pattern: "**/x", yes: ["x", "a/x", "a/b/x", "a/x/y"], no: ["ax", "a/xy"] },
    { pattern: "a/**", yes: ["a/b", "a/b/c"], no: ["a", "ab/c"] },
    { pattern: "a/**/b", yes: ["a/b", "a/x/b", "a/x/y/b", "a/b/z"], no: ["a/xb", "b", "a"] },
    { pattern: "a/**/**/b", yes: ["a/b", "a/x/b"], no: ["a/c"] },
    { pattern: "**/*.{js,ts}", yes: ["a.js", "b/c.ts"], no: ["a.jsts", "a.md"] },
    { pattern: "a**b", yes: ["ab", "axxb"], no: ["a/b"] },
    { pattern: "?", yes: ["a", "😀", "."], no: ["ab", ""] },
    { pattern: "a?b", yes: ["axb"], no: ["a/b", "ab"] },
    { pattern: "[abc]x", yes: ["ax", "cx"], no: ["dx", "x"] },
    { pattern: "[!a-c]x", yes: ["dx", "-x"], no: ["ax", "bx", "/x"] },
    { pattern: "[^a]x", yes: ["bx", "^x"], no: ["ax"] },
    { pattern: "[]a]x", yes: ["]x", "ax"], no: ["x"] },
    { pattern: "[a-]x", yes: ["ax", "-x"], no: ["bx"] },
    { pattern: "[\\]]x", yes: ["]x"], no: ["\\x"] },
    { pattern: "[[:digit:]a]x", yes: ["1x", "ax"], no: ["bx", ":x"] },
    { pattern: "[[:nothing:]", yes: ["[", "n", ":"], no: ["b"] },
    { pattern: "[ab", yes: ["[ab"], no: ["a", "b"] },
    { pattern: "{a,b/c}/d", yes: ["a/d", "b/c/d"], no: ["b/d", "c/d"] },
    { pattern: "{a,{b,c}d}", yes: ["a", "bd", "cd"], no: ["b", "d"] },
    { pattern: "x{1,}", yes: ["x1", "x"], no: ["x2"] },
    { pattern: "{a}", yes: ["{a}"], no: ["a"] },
    { pattern: "{a,b", yes: ["{a,b"], no: ["a", "b"] },
    { pattern: "\\{a,b}", yes: ["{a,b}"], no: ["a", "b"] },
    { pattern: "\\*", yes: ["*"], no: ["a"] },
    { pattern: "a.b+c(d)|e$^", yes: ["a.b+c(d)|e$^"], no: ["axb+c(d)|e$^"] },
    { pattern: "ü*", yes: ["üx"], no: ["ux"] },
    { pattern: "-a", yes: ["-a"], no: ["a"] },
  ];
  for (const { pattern, yes, no } of cases) {
    await t.step(JSON.stringify(pattern), () => {
      const glob = compileGlob(pattern);
      for (const path of yes) assert(glob.matches(path), `should match ${JSON.stringify(path)}`);
      for (const path of no) assert(!glob.matches(path), `should not match ${JSON.stringify(path)}`);
    });
  }
});

Deno.test("Glob.reaches() tells where a match could be", async (t) => {
  const cases: readonly { pattern: string; yes: readonly string[]; no: readonly string[] }[] = [
    { pattern: "a/b/c", yes: ["", "a", "a/b", "a/b/c", "a/b/c/d"], no: ["b", "a/c", "a/b/d"] },
    { pattern: "a/*/c", yes: ["a", "a/x"], no: ["a/x/y", "b"] },
    { pattern: "**/c", yes: ["x", "x/y"], no: [] },
    { pattern: "a/**/c", yes: ["a", "a/x", "a/x/y"], no: ["b", "ab"] },
    { pattern: "a/**", yes: ["a", "a/x"], no: ["b"] },
    { pattern: "{a,b}/c", yes: ["a", "b"], no: ["c"] },
    { pattern: "*.js", yes: ["", "x.js"], no: ["x"] },
  ];
  for (const { pattern, yes, no } of cases) {
    await t.step(pattern, () => {
      const glob = compileGlob(pattern);
      for (const dir of yes) assert(glob.reaches(dir), `should reach ${dir}`);
      for (const dir of no) assert(!glob.reaches(dir), `should not reach ${dir}`);
    });
  }
});

Deno.test("compileGlob() rejects what cannot be meant", () => {
  const many = "{a,b,c,d,e,f}".repeat(6);
  for (const pattern of ["../a", "a/../b", "[z-a]", "a\\", many]) {
    assert.throws(() => compileGlob(pattern), GlobError, pattern);
  }
});

Deno.test("matchName() is fnmatch without flags", async (t) => {
  const cases: readonly { pattern: string; yes: readonly string[]; no: readonly string[] }[] = [
    { pattern: "*", yes: ["", "app", "a/b"], no: [] },
    { pattern: "a*d", yes: ["ad", "a/b/d"], no: ["adx", "xad"] },
    { pattern: "a?b", yes: ["a/b", "axb"], no: ["ab"] },
    { pattern: "[!a]", yes: ["b", "/"], no: ["a"] },
    { pattern: "{a,b}", yes: ["{a,b}"], no: ["a"] },
    { pattern: "app", yes: ["app"], no: ["app2", "app/x", "App"] },
    { pattern: "a.b", yes: ["a.b"], no: ["axb"] },
    { pattern: "\\*", yes: ["*"], no: ["a"] },
  ];
  for (const { pattern, yes, no } of cases) {
    await t.step(pattern, () => {
      for (const name of yes) assert(matchName(pattern, name), name);
      for (const name of no) assert(!matchName(pattern, name), name);
    });
  }
});

Deno.test("patterns take no more time than their length times that of the path", async (t) => {
  // with a regular expression each of these takes longer than anybody waits
  const stars = "*a".repeat(60);
  const deep = "**/a/".repeat(300);
  const cases: readonly { pattern: string; path: string; wanted: boolean }[] = [
    { pattern: `${stars}*b`, path: "a".repeat(4000), wanted: false },
    { pattern: `${stars}*b`, path: `${"a".repeat(4000)}b`, wanted: true },
    { pattern: `${deep}b`, path: "a/".repeat(2000) + "c", wanted: false },
    { pattern: `${deep}b`, path: "a/".repeat(2000) + "b", wanted: true },
    {
      pattern: "**/*a*a*a*a*a*a*a*b/**/*a*a*a*a*b",
      path: `${"a".repeat(200)}/`.repeat(15) + "x",
      wanted: false,
    },
    { pattern: "[a][a]*[a]*[a]*[a]*[a]*[a]*[a]*[a]*[b]", path: "a".repeat(4000), wanted: false },
    { pattern: `${"?*".repeat(100)}b`, path: "a".repeat(4000), wanted: false },
    { pattern: "{*a,*b}".repeat(9) + "c", path: "a".repeat(4000), wanted: false },
  ];
  for (const { pattern, path, wanted } of cases) {
    await t.step(`${pattern.slice(0, 40)} on ${path.length} characters`, () => {
      assert.equal(compileGlob(pattern).matches(path), wanted);
      assert.equal(compileGlob(pattern).reaches(path), wanted || pattern.includes("**"));
    });
  }
  await t.step("names", () => assert.equal(matchName(`${stars}*b`, "a".repeat(4000)), false));
  await t.step("braces that never end", () => {
    assert.ok(compileGlob("{".repeat(4096)).matches("{".repeat(4096)));
    const nested = compileGlob("{".repeat(150) + "a" + ",b}".repeat(150));
    assert.ok(nested.matches("a") && nested.matches("b") && !nested.matches("c"));
  });
  await t.step("what is too long is refused", () => {
    assert.throws(() => compileGlob("a".repeat(4097)), /longer than 4096 characters/);
    assert.throws(
      () => compileGlob("{" + "a".repeat(900) + ",b}" + "{c,d}".repeat(8)),
      /stand for more than/,
    );
  });
});

Deno.test("compileGlob() agrees with a regular expression on random patterns", () => {
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)]!;
  let seed = 1;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const text = (letters: readonly string[], most: number) =>
    Array.from({ length: 1 + Math.floor(random() * most) }, () => pick(letters)).join("");
  const path = (letters: readonly string[], most: number) =>
    Array.from({ length: 1 + Math.floor(random() * 4) }, () => text(letters, most)).join("/");
  let matched = 0;
  for (let i = 0; i < 20_000; i++) {
    const pattern = path(["a", "b", "*", "?", "**", "a"], 3);
    const subject = path(["a", "b"], 3);
    const wanted = model(pattern).test(subject);
    matched += Number(wanted);
    assert.equal(compileGlob(pattern).matches(subject), wanted, `${pattern} on ${subject}`);
  }
  assert.ok(matched > 2000, `${matched}`);
});

/** The meaning of a pattern without sets and braces. */
function model(pattern: string): RegExp {
  const elements = pattern.split("/");
  let source = "^";
  for (const [i, element] of elements.entries()) {
    const last = i === elements.length - 1;
    if (element === "**") source += last ? "[^/]+" : "(?:[^/]+/)*";
    else source += element.replaceAll(/\*+/g, "[^/]*").replaceAll("?", "[^/]") + (last ? "" : "/");
  }
  return new RegExp(`${source}(?:/|$)`);
}
