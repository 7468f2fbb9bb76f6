/** A clock that is wrong, here or at the registry, makes a cleanup keep more, and never less. */
import assert from "node:assert/strict";
import { clockNotes } from "../../core/cleanup/clocks.ts";
import { earlier } from "../../core/protocol/clock.ts";
import { use } from "../../core/contract/plugin.ts";
import { keepBranches } from "../../plugins/cleanup/branches.ts";
import { keepRecent } from "../../plugins/cleanup/recent.ts";
import { MemoryRegistry } from "./support/memory_registry.ts";
import { DAY, HOUR, NOW, putImage, putStage, sig } from "./support/publish.ts";
import { type CleanupRun, deletedBy, planFor } from "./support/run.ts";

const YEARS = 5 * 365 * DAY;

/** Images of a living branch, one of them too old, one of no branch that is recent, and a young stage. */
async function shop(clockOffMs: number | undefined): Promise<MemoryRegistry> {
  const registry = new MemoryRegistry(clockOffMs === undefined ? {} : { clockOffMs });
  await putImage(registry, { tag: "new", scheme: "git_branch", value: "main", ageMs: DAY });
  await putImage(registry, { tag: "old", scheme: "git_branch", value: "main", ageMs: 40 * DAY });
  await putImage(registry, { tag: "fresh", scheme: "git_branch", value: "gone", ageMs: HOUR });
  await putStage(registry, { name: "young", signature: await sig("young"), ageMs: HOUR });
  return registry;
}

/** What goes where this machine's clock is `ahead` of the true time, and the registry's is off by so much from it. */
async function gone(ahead: number, clockOffMs: number | undefined): Promise<readonly string[]> {
  const run: CleanupRun = {
    now: NOW + ahead,
    git: { branches: ["main"] },
    policies: [use(keepBranches, { maxAge: "30d" }), use(keepRecent)],
  };
  return deletedBy(await planFor(await shop(clockOffMs), run));
}

Deno.test("what is young by the registry's clock stays where this machine's is years ahead", async () => {
  const stage = `:dimgstage-${await sig("young")}`;
  assert.deepEqual(await gone(0, undefined), [":old"]);
  assert.deepEqual(await gone(YEARS, -YEARS), [":old"]);
  // Without a second clock there is nothing that could tell.
  assert.deepEqual(new Set(await gone(YEARS, undefined)), new Set([":new", ":old", ":fresh", stage]));
});

Deno.test("a clock that is years ahead at the registry changes nothing, one that is behind keeps more", async () => {
  assert.deepEqual(await gone(0, YEARS), [":old"]);
  assert.deepEqual(await gone(0, -20 * DAY), []);
  assert.deepEqual(await gone(0, -YEARS), []);
  assert.deepEqual(await gone(-YEARS, YEARS), []);
});

Deno.test("a plan counts from the earlier clock, never from before 1970", () => {
  assert.deepEqual([earlier(NOW, {}), earlier(NOW, { clockOffMs: 5 })], [NOW, NOW]);
  assert.deepEqual([earlier(NOW, { clockOffMs: -5 }), earlier(NOW, { clockOffMs: -9e14 })], [NOW - 5, 0]);
});

Deno.test("clocks that are more than an hour apart are told, with both times and what to set", () => {
  const notes = (clockOffMs?: number) =>
    clockNotes("r.io/shop", NOW, clockOffMs === undefined ? {} : { clockOffMs });
  assert.deepEqual([notes(), notes(HOUR), notes(-HOUR)], [[], [], []]);
  assert.deepEqual(notes(-366 * DAY), [
    "Ages are counted from 2025-02-28T12:00:00Z, so that nothing goes too early: this machine's clock says " +
    "2026-03-01T12:00:00Z, that of r.io 2025-02-28T12:00:00Z. Set this machine's clock if it is ahead, or that of " +
    "r.io if that is behind",
  ]);
  assert.deepEqual(notes(2 * HOUR), [
    "Ages are counted from 2026-03-01T12:00:00Z, so that nothing goes too early: this machine's clock says " +
    "2026-03-01T12:00:00Z, that of r.io 2026-03-01T14:00:00Z. Set this machine's clock if it is behind, or that of " +
    "r.io if that is ahead",
  ]);
});
