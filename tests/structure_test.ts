import assert from "node:assert/strict";
import { circles, sources, targets, textOf } from "./support/import_graph.ts";

const PROGRAM = [
  "core",
  "lib",
  "plugins",
  "cli",
  "bench",
  "examples",
  "release",
  "site",
  "testing",
  "mod.ts",
  "plugin.ts",
  "cli.ts",
];

/** Rooms from the drawing in ARCHITECTURE.md, highest first: a folder, or files side by side. */
function drawing(): readonly (readonly string[])[] {
  const block = textOf("ARCHITECTURE.md").match(/^```rooms\n([\s\S]*?)^```$/m);
  assert.ok(block, "ARCHITECTURE.md has no ```rooms block");
  const lines = block[1]!.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => line.split(/\s{2,}/)[0]!.split(" "));
}

const rooms = drawing();

/** Which line of the drawing a file is on. */
function lineOf(file: string): number {
  return rooms.findIndex((names) =>
    names.some((name) => name.endsWith("/") ? file.startsWith(name) : file === name)
  );
}

Deno.test("no module imports itself through others, by types or lazily included", () => {
  const files = PROGRAM.flatMap((place) => [...sources(place)]);
  assert.deepEqual(circles(new Map(files.map((file) => [file, targets(file)]))), []);
});

Deno.test("the drawing in ARCHITECTURE.md names every room of core, and nothing else of it", () => {
  const there = [...new Set([...sources("core")].map((file) => file.split("/").slice(0, 2).join("/")))];
  const drawn = rooms.flat().filter((name) => name.startsWith("core/")).map((name) =>
    name.replace(/\/$/, "")
  );
  assert.deepEqual(drawn.sort(), there.sort());
});

Deno.test("every import points down in the drawing, or stays in its room", () => {
  const wrong = ["core", "lib", "cli", "mod.ts", "cli.ts"].flatMap((place) => [...sources(place)]).flatMap((
    file,
  ) =>
    targets(file).filter((target) => target.endsWith(".ts") && !target.startsWith("plugins/"))
      .filter((target) => lineOf(target) < lineOf(file))
      .map((target) => `${file} -> ${target}`)
  );
  assert.deepEqual(wrong, []);
});

Deno.test("lib, core and plugins are told what their environment is, and so are the programs that they start", () => {
  const wrong: string[] = [];
  for (const file of ["lib", "core", "plugins"].flatMap((place) => [...sources(place)])) {
    const text = textOf(file);
    if (/\bDeno\.env\b|\bprocess\.env\b/.test(text) && file !== "lib/own_process.ts") wrong.push(file);
    if (/\bnew Deno\.Command\(/.test(text) && !/\bclearEnv\b/.test(text)) wrong.push(`${file} (clearEnv)`);
  }
  assert.deepEqual(wrong, []);
});

Deno.test("circles() finds types, lazy imports and long ways round", () => {
  const edges = (rows: Record<string, string[]>) => new Map(Object.entries(rows));
  assert.deepEqual(circles(edges({ a: ["b"], b: ["c"], c: [] })), []);
  assert.deepEqual(circles(edges({ a: ["b"], b: ["c"], c: ["d"], d: ["b"] })), ["b -> c -> d -> b"]);
  assert.deepEqual(circles(edges({ a: ["a"], b: ["c"], c: ["b"] })), ["a -> a", "b -> c -> b"]);
});

Deno.test("deno.json names the tests that take longest, so that they start first, and then all", () => {
  const { include } = JSON.parse(textOf("deno.json")).test;
  assert.equal(include.at(-1), ".");
  assert.deepEqual(
    include.slice(0, -1).filter((path: string) => !/^tests\/[\w/]+_test\.ts$/.test(path)),
    [],
  );
});
