import assert from "node:assert/strict";
import { parse, stringify } from "yaml";
import { EngineError } from "../../../core/contract/errors.ts";
import { parseConfig } from "../../../core/config/parse.ts";
import { env, problemsOf, read, withoutLines } from "./support.ts";

const example = await Deno.readTextFile(new URL("../../../dappfile.example.yaml", import.meta.url)).catch(
  () => "",
);
const rich = `project: shop
repo: registry.example.com/g/shop
plugins: [{use: ./a.ts, options: {b: 1, a: [2]}}]
---
artifact: assets
from: node:22
fromCacheVersion: 2
git: [{add: /web, to: /src, stageDependencies: {buildArtifact: ["**/*"]}}]
shell: {buildArtifact: [cd /src, npm run build], cacheVersion: 3}
---
dimg: app
from: debian:bookworm-slim
git:
- {add: /, to: /app, excludePaths: [web], stageDependencies: {install: [package.json], setup: ["src/**"]}}
- {add: /conf, to: /app/conf, owner: app, group: app}
import: [{artifact: assets, add: /src/dist, to: /app/public, after: setup}]
mount: [{to: /cache, from: build_dir}, {to: /host, fromPath: /srv}]
shell: {beforeInstall: [apt-get update], install: [npm ci], setup: [npm run build], setupCacheVersion: 1.10}
docker: {WORKDIR: /app, CMD: [node, x], EXPOSE: 8080, ENV: {B: 1, A: 2}, HEALTHCHECK: {test: x, interval: 5s}}
`;

/** A small deterministic generator (mulberry32). */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** The same value with the keys of every map in another order. */
function shuffled(value: unknown, next: () => number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, next));
  if (typeof value !== "object" || value === null) return value;
  const rows = Object.entries(value).map(([k, v]) => [next(), k, shuffled(v, next)] as const).sort((a, b) =>
    a[0] - b[0]
  );
  return Object.fromEntries(rows.map(([, key, item]) => [key, item]));
}

function documents(text: string): unknown[] {
  return text.split(/^---$/m).map((part) => parse(part, { schema: "failsafe" }));
}

Deno.test("parseConfig() does not depend on the order of keys, on comments or on style", () => {
  const want = JSON.stringify(withoutLines(read(rich)));
  for (let seed = 1; seed <= 40; seed++) {
    const next = random(seed);
    const parts = documents(rich).map((document) => {
      const text = stringify(shuffled(document, next), {
        collectionStyle: next() < 0.3 ? "flow" : "any",
        indent: next() < 0.5 ? 2 : 4,
        defaultStringType: next() < 0.3 ? "QUOTE_SINGLE" : "PLAIN",
        lineWidth: 0,
      });
      const comment = next() < 0.5 ? "# comment\n\n" : "";
      return (comment + text).replaceAll("\n", next() < 0.2 ? "\r\n" : "\n");
    });
    const found = withoutLines(read(parts.join("--- # next\n")));
    // Quoting turns plugin options into texts: those differ by right.
    const same = (json: string) => json.replace(/"options":\{[^}]*\}/, "").replace(/"places":\{[^}]*\}/, "");
    assert.equal(same(JSON.stringify(found)), same(want), `seed ${seed}`);
  }
});

Deno.test("parseConfig() reports all problems of all documents together, in the order of the file", () => {
  const problems = problemsOf(`project: a b
plugins: x
---
artifact: b
form: x
shell: {instal: a}
---
dimg: A
fromDimg: c
git: [{add: x}, {to: /y, url: "\${{ env.NO }}"}]
import: [{artifact: bb, add: /x, after: setup}]
docker: {cmd: x, EXPOSE: 0}
`);
  assert.deepEqual(problems.map((p) => p.slice(0, p.indexOf(": "))), [
    "1:10 project",
    "2:10 plugins",
    "5:1 form",
    "6:9 shell.instal",
    "8:7 dimg",
    "9:11 fromDimg",
    "10:7 git[0]",
    "10:13 git[0].add",
    "10:32 git[1].url",
    "11:21 import[0].artifact",
    "12:10 docker.cmd",
    "12:26 docker.EXPOSE",
  ]);
});

Deno.test("parseConfig() reads the example of the project", () => {
  assert.ok(example !== "", "dappfile.example.yaml is missing");
  assert.ok(read(example).images.length > 0);
});

Deno.test("parseConfig() fails on damaged files with problems, never otherwise", () => {
  const pieces = [
    "\t",
    "'",
    '"',
    "[",
    "]",
    "{",
    "}",
    ": ",
    "- ",
    "\n",
    "&a ",
    "*a",
    "<<: ",
    "~",
    "${{",
    "}}",
    "#",
    "!",
    "|",
    "---\n",
    "\0",
    "0",
  ];
  const next = random(7);
  const pick = (length: number) => Math.floor(next() * length);
  for (let i = 0; i < 600; i++) {
    let text = rich;
    for (let n = 0; n <= i % 3; n++) {
      const at = pick(text.length);
      text = text.slice(0, at) + pieces[pick(pieces.length)] + text.slice(at + pick(4));
    }
    try {
      parseConfig(text, { file: "dappfile.yaml", env });
    } catch (error) {
      assert.ok(error instanceof EngineError, `${error}\n${text}`);
      const lines = text.split("\n");
      for (const { line, column, message } of error.details.problems ?? []) {
        assert.ok(line >= 0 && line <= lines.length + 1, `${line}:${column} ${message}`);
        assert.ok(!/undefined|\[object|Invalid input/.test(message), message);
      }
      const rows = (error.details.problems ?? []).map((p) => JSON.stringify(p));
      assert.ok(rows.length > 0 && new Set(rows).size === rows.length, rows.join("\n"));
    }
  }
});
