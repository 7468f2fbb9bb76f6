import assert from "node:assert/strict";
import { adapt, inAscii, withoutRequire } from "../../release/bundle.ts";
import { problemsOf } from "../../release/check.ts";
import { textOf } from "../support/import_graph.ts";

Deno.test("problemsOf() says what stands against a release", async (t) => {
  type Row = readonly [
    version: string,
    changelog: string,
    tag: string | undefined,
    wanted: readonly RegExp[],
  ];
  const good = "# Changelog\n\n## 1.2.0 (2026-12-01)\n\n- It builds.\n\n## 1.1.0 (2026-11-01)\n\n- Old.\n";
  const cases: Record<string, Row> = {
    "nothing": ["1.2.0", good, "v1.2.0", []],
    "nothing, and no tag yet": ["1.2.0", good, undefined, []],
    "no section of its own": ["1.3.0", good, undefined, [/first section is "## 1\.2\.0 /]],
    "no date": ["1.2.0", good.replace("2026-12-01", "unreleased"), undefined, [/has no date/]],
    "nothing is said": ["1.2.0", good.replace("- It builds.\n", ""), undefined, [/says nothing/]],
    "another tag": ["1.2.0", good, "v1.2.1", [/wanted is "v1\.2\.0"/]],
    "no version": ["1.2", good.replace("1.2.0", "1.2"), "v1.2", [/no version/]],
  };
  for (const [name, [version, changelog, tag, wanted]] of Object.entries(cases)) {
    await t.step(name, () => {
      const problems = problemsOf(version, changelog, tag);
      assert.equal(problems.length, wanted.length, problems.join("\n"));
      wanted.forEach((pattern, i) => assert.match(problems[i]!, pattern));
    });
  }
});

Deno.test("the changelog's first section is that of the version in deno.json", () => {
  const { version } = JSON.parse(textOf("deno.json"));
  const problems = problemsOf(version, textOf("CHANGELOG.md"));
  assert.deepEqual(problems.filter((problem) => !problem.includes("has no date")), []);
});

Deno.test("adapt() makes files of a bundle start what lies elsewhere, and load what is lazy when it is reached", () => {
  const started = ["cli/ask.ts", "lib/compression/worker.ts"];
  const adapted = (text: string, path: string) => adapt(text, path, started);
  const start = 'x = new URL("./worker.ts", import.meta.url);';
  assert.equal(adapted(start, "chunk.js"), 'x = new URL("./lib/compression/worker.js", import.meta.url);');
  assert.equal(adapted(start, "a/b.js"), 'x = new URL("./../lib/compression/worker.js", import.meta.url);');
  assert.equal(adapted('await import("./a-1.js")', "b.js"), 'await import(`${"./a-1.js"}`)');
  assert.equal(adapted('await import("node:zlib")', "b.js"), 'await import("node:zlib")');
  const required = 'import { createRequire as r } from "node:module";\nvar __require = r(import.meta.url);\n';
  assert.match(
    withoutRequire(required),
    /^var __require = \(name\) => globalThis\.process\.getBuiltinModule\(name\);$/m,
  );
  assert.throws(() => adapted('new URL("./other.ts", import.meta.url)', "b.js"), /is no entry/);
  assert.throws(
    () => adapted("const r = createRequire(import.meta.url)", "b.js"),
    /still has "createRequire\("/,
  );
});

Deno.test("inAscii() writes a program that does the same, and refuses what would read otherwise", async () => {
  const program = `// "│"
export const all = ["│ …", \`\${1}→\${"𝄞"}\`, "→𝄞".replace(/[→𝄞]/gu, "·"), /^é𝄞$/.test("é𝄞"), "\\\\ä", Object.keys({ ß: 1 })];
`;
  const load = async (text: string) => (await import(`data:text/javascript,${encodeURIComponent(text)}`)).all;
  const written = inAscii(program);
  assert.match(written, /^[\0-\x7f]+$/);
  assert.deepEqual(await load(written), await load(program));
  assert.throws(() => inAscii("/\\—/"), /has "\\—"/);
  assert.throws(() => inAscii("String.raw`a—`"), /has "String\.raw`a—"/);
});
