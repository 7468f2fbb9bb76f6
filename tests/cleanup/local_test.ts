import assert from "node:assert/strict";
import { type LocalRules, planLocal } from "../../core/cleanup/local/plan.ts";
import { digestOf, type Signature, type StageRecord } from "../../core/contract/plugin.ts";
import { LocalStore } from "../../plugins/store/local/store.ts";
import { withTempDir } from "../support/tmp.ts";
import { ago, DAY, HOUR, NOW, sig } from "./support/publish.ts";

async function record(name: string, ageMs: number, facts: Partial<StageRecord> = {}): Promise<StageRecord> {
  const digest = await digestOf(name);
  return {
    format: 2,
    signature: await sig(name) as Signature,
    previous: null,
    stage: name,
    facts: [],
    image: {
      layers: [{ mediaType: "t", digest, size: name.length, diffId: digest }],
      config: { os: "linux", architecture: "amd64", rootfs: { type: "layers", diff_ids: [digest] } },
    },
    builtAt: ago(ageMs),
    buildMs: 1,
    addedBytes: name.length,
    origin: { project: "shop", image: "app" },
    ...facts,
  };
}

Deno.test("row 1 and 5: planLocal() keeps what REPO, running builds young stages and other projects need", async (t) => {
  const lower = await record("lower", 9 * DAY);
  const upper = await record("upper", 8 * DAY, { previous: lower.signature });
  const top = await record("top", HOUR, { previous: upper.signature });
  const other = await record("other", 9 * DAY, { origin: { project: "blog", image: "x" } });
  const records = [lower, upper, top, other];
  const none = new Set<string>();
  const cases: readonly (readonly [string, readonly StageRecord[], LocalRules, readonly string[]])[] = [
    ["a young stage, with all below", records, { now: NOW, project: "shop", notIn: none }, []],
    ["no grace", records, { now: NOW, project: "shop", notIn: none, graceMs: 0 }, ["top", "upper", "lower"]],
    ["in REPO", records, { now: NOW, project: "shop", graceMs: 0, notIn: new Set([upper.signature]) }, [
      "top",
    ]],
    ["in use", records, {
      now: NOW,
      project: "shop",
      flush: true,
      inUse: new Map([[lower.signature, "build 7"]]),
    }, ["top", "upper"]],
    ["flush", records, { now: NOW, project: "shop", flush: true }, ["top", "upper", "lower"]],
    ["all projects", records, { now: NOW, flush: true }, ["top", "upper", "lower", "other"]],
    ["no rule", records, { now: NOW, project: "shop" }, []],
    ["another format", [{ ...lower, format: 1 as 2 }, upper], {
      now: NOW,
      project: "shop",
      improperFormat: true,
    }, ["lower"]],
  ];
  for (const [name, given, rules, want] of cases) {
    await t.step(name, () => {
      const { stages, freedBytes } = planLocal(given, rules);
      const gone = stages.filter(({ verdict }) => verdict === "delete").map(({ stage }) => stage);
      assert.deepEqual(gone, want);
      assert.equal(freedBytes, want.reduce((sum, stage) => sum + stage.length, 0));
    });
  }
});

Deno.test("LocalStore.sweep() removes blobs of removed stages, and nothing while another has the store open", async () => {
  await withTempDir(async (dir) => {
    await using store = await LocalStore.open(`${dir}/s`);
    const [kept, gone] = [await record("kept", DAY), await record("gone", DAY)];
    const listing = await store.blobs.put(new TextEncoder().encode("listing"));
    for (const name of ["kept", "gone"]) await store.blobs.put(new TextEncoder().encode(name));
    await store.stages.put({ ...kept, facts: [{ key: "files", value: listing.digest, listing: true }] });
    await store.stages.put(gone);
    await store.housekeeping.forget(gone.signature);
    await store.housekeeping.forget(gone.signature);
    assert.deepEqual((await Array.fromAsync(store.stages.all())).map(({ stage }) => stage), ["kept"]);
    {
      await using _other = await LocalStore.open(`${dir}/s`);
      assert.deepEqual(await store.housekeeping.sweep(), {
        path: `${store.path}/blobs`,
        blobs: 0,
        bytes: 0,
        busy: true,
      });
    }
    assert.deepEqual(await store.housekeeping.sweep(), {
      path: `${store.path}/blobs`,
      blobs: 1,
      bytes: 4,
      busy: false,
    });
    assert.equal(await store.blobs.size(await digestOf("gone")), undefined);
    assert.ok(await store.stages.whole(kept.signature));
    assert.equal(await store.blobs.size(listing.digest), 7);
    // The store can be used and opened again.
    await using again = await LocalStore.open(`${dir}/s`);
    assert.ok(await again.stages.whole(kept.signature));
  });
});
