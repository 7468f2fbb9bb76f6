/** Leases, marks and spare tags hold whatever the clocks of builds and cleanups say, as long as REPO's is known. */
import assert from "node:assert/strict";
import type { RegistryBackend } from "../../core/contract/plugin.ts";
import { BuildGuard } from "../../core/protocol/build_guard.ts";
import { type Clock, clockBeside, earlier, later, PROTOCOL } from "../../core/protocol/clock.ts";
import { readLeases, takeLease, validLeases } from "../../core/protocol/leases.ts";
import { MarkWatch } from "../../core/protocol/mark_watch.ts";
import { mustWait, readMark, writeMark } from "../../core/protocol/marks.ts";
import { isForgottenSpare, spareTag } from "../../core/protocol/spare_tags.ts";
import { MemoryRegistry } from "./support/memory_registry.ts";
import { DAY, HOUR, never, NOW, putStage, sig } from "./support/publish.ts";
import { applyFor, planFor } from "./support/run.ts";

/** How far the clocks of two machines are from the true time, which is the registry's; and of machines with a registry that is off. */
const wrong = [-400 * DAY, -DAY, -HOUR, 0, HOUR, DAY, 400 * DAY];

/** When stages were pushed: long ago by every clock. */
const OLD = 1000 * DAY;

/** The true time, which passes when anybody sleeps. */
class World {
  at = NOW;
  readonly registry = new MemoryRegistry();

  /** A machine whose clock is `ahead`, and what it knows of the registry's, which is `registryAhead`. */
  machine(ahead: number, registryAhead = 0): { readonly clock: Clock; readonly backend: RegistryBackend } {
    const clock: Clock = {
      clockOffMs: registryAhead - ahead,
      now: () => this.at + ahead,
      sleep: (ms, signal) => {
        signal.throwIfAborted();
        this.at += ms;
        return Promise.resolve();
      },
    };
    const { registry } = this;
    const backend: RegistryBackend = {
      kind: registry.kind,
      capabilities: { ...registry.capabilities, clockOffMs: registryAhead - ahead },
      repository: (name) => registry.repository(name),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
    return { clock, backend };
  }
}

Deno.test("a lease keeps its stages whatever the clocks of the build and of the cleanup say", async () => {
  for (const builder of wrong) {
    for (const cleaner of wrong) {
      for (const registryAhead of [0, -DAY, DAY]) {
        const world = new World();
        const { registry } = world;
        const signature = await sig("upper");
        await putStage(registry, { name: "setup", signature, ageMs: OLD });
        const plan = await planFor(registry);
        const build = world.machine(builder, registryAhead);
        const root = registry.repository("");
        const guard = await BuildGuard.start(root, {
          builder: "b",
          signatures: [signature],
          signal: never,
          ...build,
        });
        world.at += PROTOCOL.leaseMs - 1000;
        const { clock, backend } = world.machine(cleaner, registryAhead);
        const report = await applyFor(registry, plan, { clock, backend });
        assert.equal(report.counts.spared, 1, `build ${builder}, cleanup ${cleaner}, ${registryAhead}`);
        await guard.renew();
        world.at += PROTOCOL.leaseMs - 1000;
        const leases = await readLeases(root, never);
        assert.equal(validLeases(leases, earlier(clock.now(), clock), 0).length, 1);
        await guard.abandon();
        assert.deepEqual(await readLeases(root, never), []);
      }
    }
  }
});

Deno.test("a build whose clock is ahead takes no lease of another build away", async () => {
  for (const ahead of wrong) {
    const world = new World();
    const root = world.registry.repository("");
    for (let i = 0; i < 40; i++) {
      const { clock } = world.machine(i % 2 === 0 ? 0 : ahead);
      const options = { clock, leaseMs: PROTOCOL.leaseMs, skewMs: 0, signal: never };
      await takeLease(root, { builder: `b${i}`, signatures: ["s"] }, options);
    }
    assert.equal((await readLeases(root, never)).length, 40);
  }
});

Deno.test("a build keeps away from what a cleanup condemns, and waits for it, whatever their clocks say", async () => {
  for (const builder of wrong) {
    for (const cleaner of wrong) {
      const world = new World();
      const { registry } = world;
      const signature = await sig("upper");
      const publish = async () => void await putStage(registry, { name: "setup", signature, ageMs: OLD });
      await publish();
      const plan = await planFor(registry);
      const root = registry.repository("");
      const of = `build ${builder}, cleanup ${cleaner}`;
      let guard: BuildGuard | undefined;
      let over = 0;
      // The build starts when the cleanup has made sure that nobody relies on the stage.
      registry.fault = async (operation) => {
        if (operation !== "delete" || guard) return;
        registry.fault = undefined;
        const { clock } = world.machine(builder);
        guard = await BuildGuard.start(root, { builder: "b", signatures: [signature], clock, signal: never });
        const { before } = guard;
        assert.ok(mustWait(before, new Set([signature]), { now: clock.now(), skewMs: 0 }), of);
        over = world.at + before!.until - clock.now();
        assert.ok(over > world.at && over <= world.at + PROTOCOL.graceMs + PROTOCOL.windowMs, of);
      };
      const removing = world.machine(cleaner);
      await applyFor(registry, plan, removing);
      assert.ok(guard, of);
      assert.deepEqual(await guard.finish([signature], publish), [signature], of);
    }
  }
});

Deno.test("a cleanup waits for another one as long as that may remove, and not much longer", async () => {
  for (const first of wrong) {
    for (const second of wrong) {
      const world = new World();
      const { registry } = world;
      await putStage(registry, { name: "from", signature: await sig("lower"), ageMs: OLD });
      const plan = await planFor(registry);
      const root = registry.repository("");
      const { clock } = world.machine(first);
      const at = later(clock.now(), clock);
      const lasts = PROTOCOL.graceMs + PROTOCOL.windowMs;
      await writeMark(root, { id: "first", active: true, at, until: at + lasts, condemned: [] }, never);
      const report = await applyFor(registry, plan, world.machine(second));
      assert.equal(report.counts.deleted, 1);
      const waited = world.at - NOW - PROTOCOL.graceMs;
      const of = `cleanups ${first}, ${second}: ${waited}`;
      assert.ok(waited >= lasts, of);
      assert.ok(waited <= lasts + PROTOCOL.skewMs + 2 * PROTOCOL.pollMs, of);
    }
  }
});

Deno.test("a cleanup's own mark says its end by the clock that is ahead", async () => {
  for (const ahead of wrong) {
    const world = new World();
    const { registry } = world;
    await putStage(registry, { name: "from", signature: await sig("lower"), ageMs: OLD });
    const plan = await planFor(registry);
    const ends: number[] = [];
    registry.fault = async (operation) => {
      if (operation !== "delete") return;
      registry.fault = undefined;
      const mark = await readMark(registry.repository(""), never);
      for (const reader of wrong) {
        const { clock } = world.machine(reader);
        const judged = await new MarkWatch({ clock }).judge(mark);
        ends.push(judged!.until - clock.now());
      }
    };
    const report = await applyFor(registry, plan, world.machine(ahead));
    assert.equal(report.counts.deleted, 1);
    assert.equal(ends.length, wrong.length);
    for (const left of ends) assert.ok(left >= PROTOCOL.windowMs - 1000, `${ahead}: ${ends}`);
  }
});

Deno.test("what a builder leaves is not forgotten because a clock is wrong", () => {
  for (const builder of wrong) {
    for (const cleaner of wrong) {
      const world = new World();
      const [build, cleanup] = [world.machine(builder), world.machine(cleaner)];
      const tag = spareTag(later(build.clock.now(), build.clock));
      world.at += DAY;
      assert.equal(isForgottenSpare(tag, earlier(cleanup.clock.now(), cleanup.clock)), false);
    }
  }
});

Deno.test("clockBeside() follows what the registry tells by and by", () => {
  const capabilities: { clockOffMs?: number } = {};
  const clock = clockBeside({ capabilities });
  assert.equal(clock.clockOffMs, 0);
  capabilities.clockOffMs = -5000;
  assert.deepEqual([earlier(NOW, clock), later(NOW, clock)], [NOW - 5000, NOW]);
  capabilities.clockOffMs = 5000;
  assert.deepEqual([earlier(NOW, clock), later(NOW, clock)], [NOW, NOW + 5000]);
});
