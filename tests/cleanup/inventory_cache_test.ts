import assert from "node:assert/strict";
import { InventoryCache } from "../../core/cleanup/inventory_cache.ts";
import type { RegistryMemo } from "../../core/contract/registry.ts";
import { type Digest, digestFromHex } from "../../lib/oci/digest.ts";

const a = digestFromHex("a".repeat(64));
const b = digestFromHex("b".repeat(64));
const known = { size: 1, blobs: [], children: [], annotations: {} };
const at = 1_700_000_000_000;

Deno.test("what is remembered of a REPO is written again only when a run learned or lost something", async () => {
  let kept: string | undefined;
  let written = 0;
  const memo: RegistryMemo = {
    get(_kind, _key, is) {
      const value: unknown = kept && JSON.parse(kept);
      return Promise.resolve(is(value) ? value : undefined);
    },
    put(_kind, _key, value) {
      kept = JSON.stringify(value);
      written++;
      return Promise.resolve();
    },
  };
  /** A run that uses what it knows of these digests and learns the others, then sees tags and what is gone. */
  const run = async (
    digests: readonly Digest[],
    tags: Readonly<Record<string, { digest: Digest; at: number }>>,
    gone: readonly string[] = [],
  ) => {
    const before = written;
    const cache = await InventoryCache.load(memo, "repo");
    for (const digest of digests) if (!cache.manifest(digest)) cache.learn(digest, known);
    for (const [name, tag] of Object.entries(tags)) cache.see(name, { digest: tag.digest, at: tag.at });
    for (const name of gone) cache.seeGone(name);
    await cache.save();
    return written - before;
  };
  const both = { x: { digest: a, at }, y: { digest: b, at } };
  assert.equal(await run([a, b], both), 1, "first");
  assert.equal(await run([a, b], both), 0, "the same");
  assert.equal(await run([a, b], { ...both, y: { digest: a, at } }), 1, "a tag moved");
  assert.equal(await run([a, b], { ...both, y: { digest: a, at: at + 1 } }), 1, "a tag was asked again");
  assert.equal(await run([a], { x: both.x, y: { digest: a, at: at + 1 } }), 1, "a manifest went");
  assert.equal(await run([a], { x: both.x }), 1, "a tag went");
  assert.equal(await run([a], { x: both.x }, ["z"]), 1, "a tag has no manifest");
  assert.equal(await run([a], { x: both.x }, ["z"]), 0, "still");
  assert.equal(await run([a], { x: both.x }, ["w"]), 1, "another has none");
  assert.equal(await run([a], { x: both.x }), 1, "none any more");
  assert.deepEqual(JSON.parse(kept!), {
    format: 5,
    parts: 1,
    gone: [],
    manifests: { [a]: known },
    tags: { x: [a, at] },
  });
});

Deno.test("a large REPO is remembered in parts, each of which may be lost or be an older one", async () => {
  const kept = new Map<string, string>();
  const memo: RegistryMemo = {
    get(_kind, key, is) {
      const text = kept.get(key);
      const value: unknown = text === undefined ? undefined : JSON.parse(text);
      return Promise.resolve(is(value) ? value : undefined);
    },
    put(_kind, key, value) {
      kept.set(key, JSON.stringify(value));
      return Promise.resolve();
    },
  };
  const digests = Array.from({ length: 4500 }, (_, i) => digestFromHex(String(i).padStart(64, "0")));
  const run = async (time: number) => {
    const cache = await InventoryCache.load(memo, "repo");
    for (const [i, digest] of digests.entries()) {
      if (!cache.manifest(digest)) cache.learn(digest, known);
      cache.see(`t${i}`, { digest, at: time });
    }
    await cache.save();
  };
  const remembered = async () => {
    const cache = await InventoryCache.load(memo, "repo");
    return digests.map((digest, i) => {
      const tag = cache.tag(`t${i}`);
      assert.equal(tag === undefined || tag.digest === digest && cache.manifest(digest) !== undefined, true);
      return tag?.at;
    });
  };
  await run(at);
  const old = new Map(kept);
  await run(at + 1);
  assert.equal(kept.size, 3);
  assert.deepEqual(await remembered(), digests.map(() => at + 1));

  const [, second = "", third = ""] = kept.keys();
  kept.set(second, old.get(second)!);
  kept.delete(third);
  const found = await remembered();
  assert.deepEqual(found, digests.map((_, i) => i < 2000 ? at + 1 : i < 4000 ? at : undefined));

  // What has come to stand in two parts is what was seen last.
  kept.set(third, kept.get("repo")!.replaceAll(String(at + 1), String(at - 1)));
  assert.deepEqual((await remembered()).slice(0, 2000), digests.slice(0, 2000).map(() => at + 1));
});
