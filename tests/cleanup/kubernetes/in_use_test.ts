import assert from "node:assert/strict";
import type { Inventory } from "../../../core/contract/plugin.ts";
import { keepUsed, type UsedImage } from "../../../plugins/cleanup/_in_use.ts";

const digest = (fill: string) => `sha256:${fill.repeat(64)}` as const;

/** Two tags of one image and an index, as far as `keepUsed()` looks. */
function inventory(repo: string): Inventory {
  const image = (tag: string, of: string) => ({ reference: `${repo}/app:${tag}`, tag, digest: digest(of) });
  return {
    repo,
    images: [image("1", "a"), image("2", "a"), image("3", "d")],
    manifests: {
      [digest("a")]: { size: 1, blobs: [[digest("b"), 1]], children: [] },
      [digest("d")]: { size: 1, blobs: [], children: [digest("e")] },
      [digest("e")]: { size: 1, blobs: [[digest("f"), 1]], children: [] },
    },
  } as unknown as Inventory;
}

function kept(
  names: readonly (string | UsedImage)[],
  repo = "registry.test/shop",
  aliases: readonly string[] = [],
) {
  const used = names.map((name) => typeof name === "string" ? { name, by: "pod x" } : name);
  return keepUsed(inventory(repo), used, { rule: "used", aliases }).map(({ reference }) =>
    reference.slice(reference.lastIndexOf(":") + 1)
  );
}

Deno.test("keepUsed() knows an image by every spelling of its name", () => {
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ["registry.test/shop", "registry.test/shop/app:1", ["1"]],
    ["registry.test/shop", " docker://registry.test/shop/app:1", ["1"]],
    ["registry.test/shop", "REGISTRY.test/shop/app:1", ["1"]],
    ["registry.test/shop", "registry.test:443/shop/app:1", ["1"]],
    ["registry.test/shop", "10.0.0.7:5000/shop/app:1", ["1"]],
    ["registry.test/shop", "[::1]:5000/shop/app:1", ["1"]],
    ["registry.test/shop", "registry.test/shop/app", []],
    ["registry.test/shop", "registry.test/other/app:1", []],
    ["registry.test/shop", "registry.test/shop/app:4", []],
    ["registry.test/shop", "registry.test/shop/app2:1", []],
    ["docker.io/shop", "shop/app:1", ["1"]],
    ["docker.io/shop", "index.docker.io/shop/app:1", ["1"]],
    ["docker.io/shop", "registry-1.docker.io/shop/app:1", ["1"]],
    ["127.0.0.1:5000/shop", "localhost:5000/shop/app:1", ["1"]],
  ];
  for (const [repo, name, tags] of cases) assert.deepEqual(kept([name], repo), tags, `${name} in ${repo}`);
});

Deno.test("keepUsed() knows an image by digest and by id, whatever it is called", () => {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    [`elsewhere/x@${digest("a")}`, ["1", "2"]],
    [`docker-pullable://elsewhere/x:9@${digest("a")}`, ["1", "2"]],
    [`docker://${digest("b")}`, ["1", "2"]],
    [digest("e"), ["3"]],
    [`sha256:${"f".repeat(64)}`, ["3"]],
    [digest("c"), []],
  ];
  for (const [name, tags] of cases) assert.deepEqual(kept([name]), tags, name);
});

Deno.test("keepUsed() reads aliases, which may have another path", () => {
  assert.deepEqual(kept(["mirror.test/proxy/shop/app:1"]), []);
  assert.deepEqual(kept(["mirror.test/proxy/shop/app:1"], "registry.test/shop", ["mirror.test/proxy/shop"]), [
    "1",
  ]);
});

Deno.test("keepUsed() takes a name without a tag for all tags when the tag may stand elsewhere", () => {
  const everyTag = (name: string) => kept([{ name, by: "rollout x", everyTag: true }]);
  assert.deepEqual(everyTag("registry.test/shop/app"), ["1", "2", "3"]);
  assert.deepEqual(everyTag("registry.test/shop/app:2"), ["2"]);
  assert.deepEqual(everyTag(`registry.test/shop/app@${digest("d")}`), ["3"]);
  assert.deepEqual(everyTag("registry.test/shop/web"), []);
});
