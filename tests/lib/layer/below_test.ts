import assert from "node:assert/strict";
import { Below } from "../../../lib/layer/below.ts";
import { PathMap } from "../../../lib/layer/path_map.ts";
import { LayerIndexer } from "../../../lib/layer/index.ts";
import type { TarEntry } from "../../../lib/tar/types.ts";

const common = { mode: 0o755, uid: 0, gid: 0, size: 0, mtime: 0 };
const dir = (path: string): TarEntry => ({ path, type: "dir", ...common });
const file = (path: string): TarEntry => ({ path, type: "file", ...common });

Deno.test("Below.take() gives what is below, once, whenever it was noted", () => {
  const below = new Below();
  const known = ["a", "a/b", "a/b/c", "ab", "a/d"];
  for (const path of known) below.add(path);
  assert.deepEqual(below.take("a", () => known).toSorted(), ["a/b", "a/b/c", "a/d"]);
  const never = () => assert.fail("asked again");
  assert.deepEqual(below.take("a", never), []);
  below.add("a/x/y");
  assert.deepEqual(below.take("a", never), ["a/x", "a/x/y"]);
  assert.deepEqual(below.take("", never).toSorted(), ["a", "ab"]);
});

Deno.test("PathMap has what was set and not deleted since", () => {
  const map = new PathMap<true | string>();
  map.set("a", true);
  map.set("b", "x");
  assert.ok(map.delete("a"));
  assert.ok(!map.delete("a") && !map.delete("c"));
  assert.deepEqual([map.has("a"), map.has("b"), map.get("b")], [false, true, "x"]);
  assert.deepEqual([...map.entries()], [["b", "x"]]);
  map.set("a", true);
  assert.deepEqual([...map.keys()].toSorted(), ["a", "b"]);
});

Deno.test("LayerIndexer knows what is left when directories become something else again and again", () => {
  const rounds = 2000;
  const indexer = new LayerIndexer();
  for (let i = 0; i < rounds; i++) {
    for (const entry of [file(`stay/${i}`), dir("x"), file(`x/y/${i}`), file("x")]) indexer.add(entry);
  }
  for (const entry of [file("x/z/last"), dir("stay/0"), file("stay/0/in"), file("stay/0")]) {
    indexer.add(entry);
  }
  const { entries } = indexer.finish();
  assert.deepEqual(entries.filter(({ path }) => path.startsWith("x")).map(({ path, type }) => [path, type]), [
    ["x", "dir"],
    ["x/z", "dir"],
    ["x/z/last", "file"],
  ]);
  assert.equal(entries.filter(({ path }) => path.startsWith("stay/")).length, rounds);
});
