import assert from "node:assert/strict";
import { BuildGuard } from "../../core/protocol/build_guard.ts";
import { PROTOCOL } from "../../core/protocol/clock.ts";
import { readJournal, readPending } from "../../core/cleanup/journal.ts";
import { readLeases, takeLease } from "../../core/protocol/leases.ts";
import { readMark, writeMark } from "../../core/protocol/marks.ts";
import { parsePlan } from "../../core/cleanup/plan_file.ts";
import { restore } from "../../core/cleanup/restore.ts";
import { withTempDir } from "../support/tmp.ts";
import { failed, MemoryRegistry } from "./support/memory_registry.ts";
import { ago, DAY, never, NOW, putImage, putIndex, putManifest, putStage, sig } from "./support/publish.ts";
import { applyFor, deletedBy, fakeClock, planFor } from "./support/run.ts";

/** Images of a branch that is gone, in one repository. */
async function withGone(count: number, deletion: "tag" | "manifest" = "manifest") {
  const registry = new MemoryRegistry({ deletion });
  for (let i = 0; i < count; i++) {
    await putImage(registry, { tag: `t${i}`, scheme: "git_branch", value: "gone", layers: [`l${i}`] });
  }
  return registry;
}

const images = (state: Record<string, string>) =>
  Object.fromEntries(Object.entries(state).filter(([key]) => !key.includes("dappservice-")));

Deno.test("applyPlan() interrupted at any point and run again ends where an undisturbed run ends", async () => {
  for (const stopAt of [1, 2, 7, 20, 33, 60]) {
    await withTempDir(async (dir) => {
      const registry = await withGone(12);
      const lower = await sig("lower");
      await putStage(registry, { name: "from", signature: lower });
      await putStage(registry, { name: "setup", signature: await sig("upper"), previous: lower });
      const plan = await planFor(registry);
      const controller = new AbortController();
      let n = 0;
      registry.fault = () => {
        if (++n === stopAt) controller.abort(new Error("stopped"));
      };
      const journalPath = `${dir}/journal`;
      const first = await applyFor(registry, plan, { signal: controller.signal, parallel: 3, journalPath });
      assert.deepEqual([first.outcome, first.exitCode], ["interrupted", 130]);
      registry.fault = undefined;
      const second = await applyFor(registry, plan, { journalPath, clock: fakeClock(NOW + DAY) });
      assert.equal(second.outcome, "complete");
      assert.deepEqual(images(registry.state()), {});
      const tags = new Set((await readJournal(journalPath)).map(({ tag }) => tag));
      assert.equal(tags.size, 14);
    });
  }
});

Deno.test("restore() brings the exact digests back, says what is lost, and leaves what is newer", async () => {
  await withTempDir(async (dir) => {
    const journalPath = `${dir}/journal`;
    const registry = await withGone(4);
    const child = await putManifest(registry, {
      repository: "",
      tag: "child",
      layers: ["c"],
      bytes: 5,
      annotations: { dapp: "other" },
    });
    const annotations = {
      dapp: "shop",
      "dapp-dimg": "true",
      "dapp-tag-scheme": "git_branch",
      "dapp-tag-value": "gone",
      "org.opencontainers.image.created": ago(90 * DAY),
    };
    await putIndex(registry, { repository: "", tag: "multi", children: [child] }, annotations);
    const before = registry.state();
    await applyFor(registry, await planFor(registry), { journalPath });
    assert.deepEqual(Object.keys(registry.state()), [":child"]);
    registry.tags.get("")!.delete("child");
    registry.manifests.get("")!.delete(child);
    const journal = await readJournal(journalPath);
    const { digest: lostLayer } = JSON.parse(new TextDecoder().decode(
      journal.find((e) => e.tag === "t3")!.bytes,
    )).layers[0];
    registry.blobs.delete(lostLayer);
    await putImage(registry, { tag: "t2", scheme: "git_branch", value: "new" });
    const newer = registry.state()[":t2"];
    registry.fault = (operation) => {
      if (operation === "blob") throw failed("GET answered 500, UNKNOWN unknown error", 500);
    };
    const outage = await restore(registry, journal, { signal: never, tags: ["t0"], dryRun: true });
    assert.deepEqual(outage.map(({ outcome }) => outcome), ["failed"]);
    registry.fault = undefined;
    const results = await restore(registry, journal, { signal: never });
    assert.deepEqual(Object.fromEntries(results.map((r) => [r.reference.split(":")[1], r.outcome])), {
      multi: "restored",
      t0: "restored",
      t1: "restored",
      t2: "taken",
      t3: "lost",
    });
    const after = registry.state();
    for (const tag of [":multi", ":t0", ":t1"]) assert.equal(after[tag], before[tag]);
    assert.equal(after[":t2"], newer);
    assert.ok(registry.manifests.get("")!.has(child));
    await assert.rejects(
      restore(registry, journal, { signal: never, tags: ["nope"] }),
      /has no deletion of it/,
    );
  });
});

Deno.test("a run that is killed after deletions, before they are noted, is finished by the next, and can be taken back", async () => {
  await withTempDir(async (dir) => {
    const journalPath = `${dir}/journal`;
    const registry = await withGone(20);
    for (let i = 0; i < 20; i += 4) {
      registry.tags.get("")!.set(`also${i}`, registry.tags.get("")!.get(`t${i}`)!);
    }
    const before = registry.state();
    const plan = await planFor(registry);
    const gone = new Set(plan.tags.filter(({ verdict }) => verdict === "delete").map(({ tag }) => tag));
    await applyFor(registry, plan, { journalPath });
    const journal = await Deno.readTextFile(journalPath);
    const lines = journal.split("\n");
    const kept = lines.filter((line, i) => !line.includes('"dropped"') || i % 2 === 0);
    assert.ok(kept.length < lines.length);
    await Deno.writeTextFile(journalPath, kept.join("\n"));
    const after = registry.state();
    for (const [place, digest] of Object.entries(before)) {
      assert.equal(after[place], gone.has(place.slice(1)) ? undefined : digest);
    }
    await putImage(registry, { tag: "more", scheme: "git_branch", value: "gone", layers: ["more"] });
    const pending = await readPending(journalPath, plan.repo);
    assert.ok(pending.length > 0);
    const report = await applyFor(registry, await planFor(registry), { journalPath, pending });
    assert.deepEqual([report.outcome, report.counts.deleted], ["complete", 1]);
    assert.deepEqual(registry.state(), after);
    assert.deepEqual(await readPending(journalPath, plan.repo), []);
    const restored = await restore(registry, await readJournal(journalPath), { signal: never });
    assert.deepEqual(new Set(restored.map(({ outcome }) => outcome)), new Set(["restored"]));
    assert.deepEqual({ ...registry.state(), ":more": undefined }, { ...before, ":more": undefined });
  });
});

Deno.test("readJournal() passes over a torn last line, and the next run appends after it", async () => {
  await withTempDir(async (dir) => {
    const journalPath = `${dir}/journal`;
    const registry = await withGone(2);
    await applyFor(registry, await planFor(registry), { journalPath });
    const lines = (await Deno.readTextFile(journalPath)).split("\n").filter((line) => line.includes("bytes"));
    await Deno.writeTextFile(journalPath, lines.join("\n").slice(0, -40));
    assert.equal((await readJournal(journalPath)).length, 1);
    await putImage(registry, { tag: "t9", scheme: "git_branch", value: "gone" });
    await applyFor(registry, await planFor(registry), { journalPath });
    assert.deepEqual((await readJournal(journalPath)).length, 2);
  });
});

Deno.test("applyPlan() slows down for 429, waits as asked, and finishes", async () => {
  const registry = await withGone(60);
  const plan = await planFor(registry);
  let running = 0;
  let most = 0;
  let deletions = 0;
  registry.fault = async (operation) => {
    if (operation !== "delete") return;
    running++;
    await Promise.resolve();
    if (deletions > 20) most = Math.max(most, running);
    running--;
    if (++deletions % 5 === 0 && deletions <= 20) {
      throw failed("too many requests", 429, { retryAfterMs: 3000 });
    }
  };
  const clock = fakeClock();
  const limits: number[] = [];
  const report = await applyFor(registry, plan, {
    clock,
    onEvent: (event) => event.type === "limited" && limits.push(event.parallel),
  });
  assert.deepEqual([report.outcome, report.counts.deleted], ["complete", 60]);
  assert.ok(clock.slept.includes(3000));
  assert.equal(limits[0], 8);
  assert.deepEqual(images(registry.state()), {});
});

Deno.test("applyPlan() waits for no pause that is longer than any request waits", async () => {
  const registry = await withGone(3);
  const plan = await planFor(registry);
  registry.fault = (operation) => {
    if (operation === "delete") throw failed("too many requests", 429, { retryAfterMs: 1e15 });
  };
  const clock = fakeClock();
  const report = await applyFor(registry, plan, { clock, parallel: 1 });
  assert.deepEqual([report.exitCode, report.counts.deleted, registry.counts.delete], [1, 0, 3]);
  assert.ok(Math.max(0, ...clock.slept) <= 15 * 60_000, String(clock.slept));
});

Deno.test("applyPlan() stops at 405 with one message, and says what it could not do on other failures", async (t) => {
  await t.step("405", async () => {
    const registry = await withGone(5);
    const plan = await planFor(registry);
    registry.fault = (operation) => {
      if (operation === "delete") throw failed("the registry answered 405", 403);
    };
    const report = await applyFor(registry, plan, { parallel: 1 });
    assert.deepEqual([report.outcome, report.exitCode, registry.counts.delete], ["impossible", 1, 1]);
  });
  await t.step("no deletion at all", async () => {
    const registry = await withGone(2);
    const plan = await planFor(registry);
    registry.capabilities = { ...registry.capabilities, deletion: "none" };
    registry.resetCounts();
    assert.equal((await applyFor(registry, plan)).outcome, "impossible");
    assert.equal(registry.requests, 0);
  });
  await t.step("one tag fails for good, one is locked meanwhile", async () => {
    const registry = await withGone(5);
    const plan = await planFor(registry);
    registry.locked.set(":t1", "rule");
    registry.fault = (operation, _, reference) => {
      if (operation === "delete" && reference === "t2") throw failed("disk error", 500);
    };
    const report = await applyFor(registry, plan);
    assert.deepEqual([report.outcome, report.exitCode], ["partial", 1]);
    assert.deepEqual([report.counts.deleted, report.counts.refused, report.counts.failed], [3, 1, 1]);
    assert.deepEqual(Object.keys(registry.state()), [":t1", ":t2"]);
  });
});

Deno.test("a list that is out of date names tags that are gone: nothing fails", async () => {
  const registry = await withGone(2);
  registry.stale.push("phantom");
  const plan = await planFor(registry);
  assert.equal(plan.tags.find(({ tag }) => tag === "phantom")?.rule, "broken");
  assert.equal((await applyFor(registry, plan)).exitCode, 0);
});

Deno.test("a tag that moved after the plan is spared; memory that is out of date deletes nothing needed", async () => {
  for (const deletion of ["tag", "manifest"] as const) {
    const registry = await withGone(3, deletion);
    const plan = await planFor(registry);
    await putImage(registry, { tag: "t1", scheme: "git_branch", value: "main", salt: "new" });
    const moved = registry.state()[":t1"];
    const report = await applyFor(registry, plan);
    assert.deepEqual([report.counts.deleted, report.counts.spared], [2, 1]);
    assert.deepEqual(images(registry.state()), { ":t1": moved });
  }
});

Deno.test("a lease keeps a stage and what it stands on; an expired one does not", async () => {
  const registry = new MemoryRegistry();
  const [lower, upper] = [await sig("lower"), await sig("upper")];
  await putStage(registry, { name: "from", signature: lower });
  await putStage(registry, { name: "setup", signature: upper, previous: lower });
  const plan = await planFor(registry);
  assert.equal(deletedBy(plan).length, 2);
  const root = registry.repository("");
  const clock = fakeClock();
  const options = { clock, leaseMs: DAY, skewMs: 0, signal: never };
  const held = await takeLease(root, { builder: "b1", signatures: [upper] }, options);
  assert.equal((await applyFor(registry, plan)).counts.spared, 2);
  clock.at -= 2 * DAY;
  await held.renew([upper]);
  assert.equal((await applyFor(registry, plan)).counts.deleted, 2);
  assert.equal((await readMark(root, never))?.active, false);
});

Deno.test("takeLease() uses a fixed number of tags, shares slots when they run out, and keeps the others' leases", async () => {
  const registry = new MemoryRegistry();
  const root = registry.repository("");
  const options = { clock: fakeClock(), leaseMs: DAY, skewMs: 0, signal: never };
  for (let i = 0; i < 60; i++) {
    await takeLease(root, { builder: `b${i}`, signatures: [`s${i}`] }, options);
  }
  assert.equal((await readLeases(root, never)).length, 60);
  assert.ok(registry.tags.get("")!.size <= 16);
});

Deno.test("a cleanup waits for another one, and takes over when that has run out", async () => {
  const registry = new MemoryRegistry();
  await putStage(registry, { name: "from", signature: await sig("lower") });
  const plan = await planFor(registry);
  const mark = { id: "other", active: true, at: NOW, until: NOW + 30_000, condemned: [] };
  await writeMark(registry.repository(""), mark, never);
  const clock = fakeClock();
  assert.equal((await applyFor(registry, plan, { clock })).counts.deleted, 1);
  assert.ok(clock.at > NOW + 90_000);
});

Deno.test("BuildGuard: a build that meets a mark waits and publishes again what went; a quiet build asks for nothing more", async () => {
  const registry = new MemoryRegistry();
  const root = registry.repository("");
  const [lower, upper] = [await sig("lower"), await sig("upper")];
  const publish = async (signature: string) => {
    await putStage(registry, { name: signature === lower ? "from" : "setup", signature });
  };
  await publish(lower);
  await publish(upper);
  const clock = fakeClock();
  const start = () =>
    BuildGuard.start(root, { builder: "b", signatures: [upper], clock, signal: never, skewMs: 0 });
  const quiet = await start();
  registry.resetCounts();
  assert.deepEqual(await quiet.finish([lower, upper], publish), []);
  assert.equal(registry.counts.head, 0);

  const guard = await start();
  const mark = { id: "m", active: true, at: NOW, until: NOW + 10_000, condemned: [upper] };
  await writeMark(root, mark, never);
  registry.tags.get("")!.delete(`dimgstage-${upper}`);
  assert.deepEqual(await guard.finish([lower, upper], publish), [upper]);
  assert.ok(clock.at > NOW + 10_000);
  assert.ok(registry.tags.get("")!.has(`dimgstage-${upper}`));
});

Deno.test("BuildGuard: a build whose lease ran out looks at its stages, also when it was renewed later", async () => {
  for (const renewed of [false, true]) {
    const registry = new MemoryRegistry();
    const root = registry.repository("");
    const signature = await sig("upper");
    const publish = async () => void await putStage(registry, { name: "setup", signature });
    await publish();
    const clock = fakeClock();
    const options = { builder: "b", signatures: [signature], clock, signal: never };
    const guard = await BuildGuard.start(root, options);
    await clock.sleep(PROTOCOL.leaseMs + 1, never);
    if (renewed) await guard.renew();
    registry.tags.get("")!.delete(`dimgstage-${signature}`);
    assert.deepEqual(await guard.finish([signature], publish), [signature]);
  }
});

Deno.test("parsePlan() takes what JSON.stringify() gives, and refuses what was changed", async () => {
  const registry = await withGone(2);
  await putImage(registry, { tag: "theirs", project: "other" });
  const plan = await planFor(registry);
  const text = JSON.stringify(plan);
  assert.deepEqual(await parsePlan(text), plan);
  const refuse: readonly (readonly [string, RegExp])[] = [
    ["{", /it is not JSON/],
    [text.replace('"format":1', '"format":2'), /Invalid input/],
    [text.replace('"format":1', '"format":1,"more":1'), /more/],
    [text.replace('"remove":["t0"]', '"remove":["theirs"]'), /which is to be kept/],
    [text.replace('"remove":["t0"]', '"remove":["t7"]'), /is not among the tags/],
    [text.replace('"verdict":"delete"', '"verdict":"keep"'), /which is to be kept/],
    [text.replaceAll('"t0"', '"dappservice-mark"'), /is not the project's/],
    [
      text.replace(
        /"digest":"sha256:[0-9a-f]{64}","verdict":"delete"/,
        `"digest":"sha256:${"0".repeat(64)}","verdict":"delete"`,
      ),
      /another digest/,
    ],
  ];
  for (const [changed, why] of refuse) await assert.rejects(parsePlan(changed), why);
});

Deno.test("a budget takes the cheapest stages first, from the top of a chain, and none that a build leases", async () => {
  const registry = new MemoryRegistry();
  const chain = [];
  for (const [name, ms] of [["cheap", 10], ["dear", 10_000]] as const) {
    const [lower, upper] = [await sig(`${name} lower`), await sig(`${name} upper`)];
    await putStage(registry, { name: "from", signature: lower });
    await putStage(registry, { name: "setup", signature: upper, previous: lower, below: [`from ${lower}`] });
    const stages = [{ stage: "from", signature: lower, ms }, { stage: "setup", signature: upper, ms }];
    chain.push({ image: name, stages });
  }
  await putImage(registry, { tag: "keep", chain });
  const cheap = chain[0]!.stages.map(({ signature }) => `:dimgstage-${signature}`);
  const plan = (budgetBytes: number, leased?: ReadonlyMap<string, string>) =>
    planFor(registry, { plan: { stages: "unneeded", budgetBytes, ...(leased && { leased }) } }).then(
      deletedBy,
    );
  assert.deepEqual(await plan(100_000), []);
  assert.deepEqual(await plan(6_500), [cheap[1]]);
  assert.deepEqual((await plan(4_000)).sort(), [...cheap].sort());
  const lease = new Map([[chain[0]!.stages[1]!.signature, "build 7"]]);
  assert.ok(!(await plan(4_000, lease)).includes(cheap[1]!));
});

Deno.test("applyPlan() interrupted in its grace time leaves no mark that others would wait for", async () => {
  const registry = new MemoryRegistry();
  await putStage(registry, { name: "from", signature: await sig("lower") });
  const plan = await planFor(registry);
  const controller = new AbortController();
  const clock = {
    ...fakeClock(),
    sleep: () => {
      controller.abort(new Error("stopped"));
      return Promise.reject(controller.signal.reason);
    },
  };
  const report = await applyFor(registry, plan, { signal: controller.signal, clock });
  assert.equal(report.outcome, "interrupted");
  assert.equal((await readMark(registry.repository(""), never))!.active, false);
  const again = fakeClock();
  assert.equal((await applyFor(registry, plan, { clock: again })).counts.deleted, 1);
  assert.equal(again.slept.length, 1);
});
