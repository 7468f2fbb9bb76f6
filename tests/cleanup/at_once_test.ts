/** How many things a registry is asked at once follows what it says that it should get. */
import assert from "node:assert/strict";
import type { Config } from "../../core/contract/config.ts";
import { readInventory } from "../../core/cleanup/inventory.ts";
import { memoryMemo, MemoryRegistry } from "./support/memory_registry.ts";
import { listPublished } from "../../core/publish/list_published.ts";
import { DAY, never, putImage, putMarker } from "./support/publish.ts";
import { applyFor, planFor } from "./support/run.ts";

const WAVES = [3, 5, 2, 16];

/** A registry with as many images of branches that are gone as all waves take. */
async function withGone(): Promise<MemoryRegistry> {
  const registry = new MemoryRegistry();
  for (let i = 0; i < WAVES.reduce((sum, size) => sum + size); i++) {
    await putImage(registry, { tag: `b${i}`, scheme: "git_branch", value: `gone-${i}`, ageMs: DAY });
  }
  return registry;
}

/**
 * Lets the registry answer GET only when as many came as it should get, and then wants as many as the next wave has. Gives
 * how many there were each time; fewer would wait for ever.
 */
function inWaves(registry: MemoryRegistry, most = 16): readonly number[] {
  const seen: number[] = [];
  const want = (atOnce: number | undefined) => {
    const { atOnce: _, ...rest } = registry.capabilities;
    registry.capabilities = { ...rest, ...(atOnce !== undefined && { atOnce }) };
  };
  // What is undefined means 16.
  const left = WAVES.map((size) => size === 16 ? undefined : size);
  want(left[0]);
  let [there, opened] = [0, Promise.withResolvers<void>()];
  registry.fault = async (operation) => {
    if (operation !== "get" || left.length === 0) return;
    there++;
    const gate = opened;
    if (there === (left[0] ?? most)) {
      // Whoever comes beside these has its turn first.
      await new Promise((resolve) => setTimeout(resolve));
      seen.push(there);
      left.shift();
      [there, opened] = [0, Promise.withResolvers<void>()];
      want(left[0]);
      gate.resolve();
    }
    await gate.promise;
  };
  return seen;
}

Deno.test("readInventory() asks a registry as many things at once as it should get, also when that changes", async () => {
  const registry = await withGone();
  const seen = inWaves(registry);
  const inventory = await readInventory(registry, { project: "shop", memo: memoryMemo(), signal: never });
  assert.deepEqual(seen, WAVES);
  assert.equal(inventory.images.length, 26);
});

Deno.test("applyPlan() removes as many tags at once as the registry should get requests, and 8 at most", async () => {
  const registry = await withGone();
  const plan = await planFor(registry);
  const seen = inWaves(registry, 8);
  const report = await applyFor(registry, plan);
  assert.deepEqual(seen, [3, 5, 2, 8]);
  assert.deepEqual([report.outcome, report.counts.deleted], ["complete", 26]);
});

/** Repositories of three dimgs with an image each; none is listed before somebody asks for all three lists. */
async function withThree(): Promise<MemoryRegistry> {
  const registry = new MemoryRegistry();
  for (const dimg of ["a", "b", "c"]) {
    await putMarker(registry, dimg);
    await putImage(registry, { dimg, tag: "main", scheme: "git_branch", value: "main", ageMs: DAY });
  }
  let there = 0;
  const opened = Promise.withResolvers<void>();
  registry.fault = async (operation, repository) => {
    if (operation !== "list" || repository === "") return;
    if (++there === 3) opened.resolve();
    await opened.promise;
  };
  return registry;
}

Deno.test("readInventory() lists repositories side by side", async () => {
  const registry = await withThree();
  const { images } = await readInventory(registry, { project: "shop", memo: memoryMemo(), signal: never });
  assert.deepEqual(images.map(({ repository }) => repository), ["a", "b", "c"]);
});

Deno.test("readInventory() ends with the failure of one list, and asks for no more", async () => {
  const registry = await withThree();
  registry.capabilities = { ...registry.capabilities, atOnce: 1 };
  registry.fault = (operation, repository) => {
    if (operation === "list" && repository === "b") throw new Error("no list");
  };
  const read = readInventory(registry, { project: "shop", memo: memoryMemo(), signal: never });
  await assert.rejects(read, { message: "no list" });
  assert.equal(registry.counts.list, 3);
});

Deno.test("listPublished() lists repositories side by side", async () => {
  const registry = await withThree();
  const session = {
    options: { signal: never },
    config: () => Promise.resolve({ images: [] } as unknown as Config),
    project: () => Promise.resolve({ name: "shop" }),
    registry: () => Promise.resolve({ value: registry }),
  };
  const { images } = await listPublished(session, [], "registry.test/shop");
  assert.deepEqual(images.map(({ name, tags }) => [name, tags.length]), [["a", 1], ["b", 1], ["c", 1]]);
});
