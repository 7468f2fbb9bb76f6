/** Nobody waits long for a cleanup that is gone, whatever its clock said. */
import assert from "node:assert/strict";
import { BuildGuard } from "../../core/protocol/build_guard.ts";
import { localMarkOwners } from "../../core/protocol/mark_owners.ts";
import { type Mark, readMark, writeMark } from "../../core/protocol/marks.ts";
import { withTempDir } from "../support/tmp.ts";
import { until } from "../support/until.ts";
import { MemoryRegistry } from "./support/memory_registry.ts";
import { DAY, never, NOW, putStage, sig } from "./support/publish.ts";
import { applyFor, fakeClock, planFor } from "./support/run.ts";

const MINUTE = 60_000;
/** Marks of clocks that are wrong, and one that cannot be read. */
const wrong: readonly (readonly [string, Pick<Mark, "at" | "until">, number])[] = [
  ["a year ahead", { at: NOW + 365 * DAY, until: NOW + 365 * DAY + 90_000 }, 90_000],
  ["an hour ahead", { at: NOW + 60 * MINUTE, until: NOW + 61 * MINUTE }, MINUTE],
  ["for ever", { at: NOW, until: Number.MAX_SAFE_INTEGER }, 210_000],
  ["no times", { at: 0, until: Number.MAX_SAFE_INTEGER }, 210_000],
  ["ends before it starts", { at: NOW + DAY, until: NOW + DAY - MINUTE }, 210_000],
];

Deno.test("a cleanup waits for a mark no longer than marks last, and says so once", async (t) => {
  for (const [name, times, lasts] of wrong) {
    await t.step(name, async () => {
      const registry = new MemoryRegistry();
      await putStage(registry, { name: "from", signature: await sig("lower") });
      const plan = await planFor(registry);
      const mark = { id: "other", active: true, ...times, condemned: [] };
      await writeMark(registry.repository(""), mark, never);
      const clock = fakeClock();
      const waits: { ms: number; why: string }[] = [];
      const report = await applyFor(registry, plan, {
        clock,
        onEvent: (event) => event.type === "waiting" && waits.push(event),
      });
      assert.equal(report.counts.deleted, 1);
      const waited = clock.at - NOW - 30_000;
      assert.ok(waited > lasts && waited <= lasts + 60_000 + 4000, `${waited}`);
      assert.equal(waits.length, 2);
      assert.match(waits[0]!.why, /another cleanup is at work, until 2026-03-01T12:0\d:\d\d.000Z at most/);
      assert.equal(waits[0]!.ms, lasts + 60_000);
    });
  }
});

Deno.test("a build waits for a mark no longer than marks last", async () => {
  for (const [, times, lasts] of wrong) {
    const registry = new MemoryRegistry();
    const root = registry.repository("");
    const signature = await sig("upper");
    await putStage(registry, { name: "setup", signature });
    await writeMark(root, { id: "m", active: true, ...times, condemned: [signature] }, never);
    const clock = fakeClock();
    const guard = await BuildGuard.start(root, {
      builder: "b",
      signatures: [signature],
      clock,
      signal: never,
    });
    await guard.finish([signature], () => Promise.reject(new Error("it is there")));
    assert.ok(clock.at - NOW > lasts && clock.at - NOW <= lasts + 60_000 + 4000);
  }
});

Deno.test("a cleanup that is known to be gone is waited for only until its last request has had its time", async () => {
  const registry = new MemoryRegistry();
  await putStage(registry, { name: "from", signature: await sig("lower") });
  const plan = await planFor(registry);
  const mark = { id: "gone", active: true, at: NOW, until: NOW + 3 * MINUTE, condemned: [] };
  await writeMark(registry.repository(""), mark, never);
  const clock = fakeClock();
  const owners = {
    hold: () => Promise.resolve({ [Symbol.asyncDispose]: () => Promise.resolve() }),
    // It dies while it is waited for.
    isGone: (id: string) => Promise.resolve(id === "gone" && clock.at > NOW + 20_000),
  };
  assert.equal((await applyFor(registry, plan, { clock, owners })).counts.deleted, 1);
  const waited = clock.at - NOW - 30_000;
  assert.ok(waited >= 35_000 && waited < 45_000, `${waited}`);
});

Deno.test("localMarkOwners() knows processes of this machine that are gone, and says nothing of others", async () => {
  await withTempDir(async (dir) => {
    const owners = localMarkOwners(dir);
    const other = new URL("../../core/protocol/mark_owners.ts", import.meta.url).href;
    const code = `const { localMarkOwners } = await import(${JSON.stringify(other)});
      await localMarkOwners(${JSON.stringify(dir)}).hold("theirs");
      console.log("held");
      setInterval(() => {}, 1000);`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-lock", "--ext=ts", code],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.getReader();
    await reader.read();
    assert.equal(await owners.isGone("theirs"), false);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    assert.equal(await owners.isGone("theirs"), true);
    assert.equal(await owners.isGone("theirs"), true, "for everybody who waits");
    assert.equal(await owners.isGone("elsewhere"), false);
    await Deno.writeTextFile(`${dir}/theirs`, "another kernel");
    assert.equal(await owners.isGone("theirs"), false);
    {
      await using _ = await owners.hold("../mine");
      assert.equal(await owners.isGone("../mine"), false);
    }
    // a program that another test starts at this moment has the file, too, until it runs
    await until(() => owners.isGone("../mine"), "whoever ended in order is not gone");
    const names = (await Array.fromAsync(Deno.readDir(dir))).map(({ name }) => name);
    assert.deepEqual(names.sort(), ["___mine", "theirs"]);
    await Deno.utime(`${dir}/___mine`, 0, 0);
    await using _ = await owners.hold("next");
    assert.equal(await owners.isGone("../mine"), false, "what is long over is forgotten");
  });
});

Deno.test("a cleanup holds its mark's file as long as the mark stands", async () => {
  const registry = new MemoryRegistry();
  await putStage(registry, { name: "from", signature: await sig("lower") });
  const plan = await planFor(registry);
  const held = new Set<string>();
  const during: boolean[] = [];
  registry.fault = async (operation) => {
    if (operation !== "delete") return;
    registry.fault = undefined;
    during.push(held.has((await readMark(registry.repository(""), never))!.id));
  };
  await applyFor(registry, plan, {
    owners: {
      hold: (id) => {
        held.add(id);
        return Promise.resolve({
          [Symbol.asyncDispose]: () => Promise.resolve(void held.delete(id)),
        });
      },
      isGone: () => Promise.resolve(false),
    },
  });
  assert.deepEqual([during, held.size], [[true], 0]);
});
