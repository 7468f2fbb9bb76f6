/** Builds and cleanups against each other on one registry, in simulated time, with random kills. */
import assert from "node:assert/strict";
import { applyPlan } from "../../core/cleanup/apply.ts";
import { BuildGuard } from "../../core/protocol/build_guard.ts";
import type { Clock } from "../../core/protocol/clock.ts";
import { stageTag } from "../../core/contract/plugin.ts";
import { memoryMemo, MemoryRegistry } from "./support/memory_registry.ts";
import { DAY, NOW, putImage, putStage, sig } from "./support/publish.ts";
import { planFor } from "./support/run.ts";

/** Time that goes on to the next sleeper as soon as nobody has anything else to do. */
class Simulation implements Clock {
  #at = NOW;
  #sleepers: { readonly until: number; readonly wake: () => void }[] = [];
  #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** 0 to 1, the same numbers for the same seed (a linear congruential generator). */
  random(): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return this.#seed / 2 ** 32;
  }

  now(): number {
    return this.#at;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const wake = () => signal.aborted ? reject(signal.reason) : resolve();
      this.#sleepers.push({ until: this.#at + ms, wake });
    });
  }

  async run(actors: readonly Promise<void>[]): Promise<void> {
    let done = false;
    const all = Promise.all(actors).finally(() => done = true);
    while (!done) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      const next = this.#sleepers.toSorted((a, b) => a.until - b.until)[0];
      if (!next) continue;
      this.#sleepers.splice(this.#sleepers.indexOf(next), 1);
      this.#at = Math.max(this.#at, next.until);
      next.wake();
    }
    await all;
  }
}

for (const seed of [1, 2, 3]) {
  Deno.test(`builds and cleanups side by side, killed at random: every finished build is whole (seed ${seed})`, async () => {
    const simulation = new Simulation(seed);
    const registry = new MemoryRegistry();
    const endless = new AbortController().signal;
    registry.fault = () => simulation.sleep(1 + simulation.random() * 300, endless);
    const chains = await Promise.all(
      Array.from(
        { length: 8 },
        (_, n) => Promise.all(["from", "install", "setup"].map((s) => sig(`${n % 2 ? "a" : n} ${s}`))),
      ),
    );
    /** Image tag -> its chain, for builds that finished and were not taken back. */
    const whole = new Map<string, readonly string[]>();
    const problems: string[] = [];
    const check = (when: string) => {
      for (const [tag, chain] of whole) {
        const lost = chain.find((s) => !registry.tags.get("")?.has(stageTag(s)));
        if (lost) problems.push(`${when}: ${tag} lost ${lost.slice(0, 8)}`);
      }
    };
    /** Stops the work after a random time, or does not. */
    const killer = (share: number) => {
      const controller = new AbortController();
      if (simulation.random() < share) {
        void simulation.sleep(simulation.random() * 8000, endless).then(() =>
          controller.abort(new Error("killed"))
        );
      }
      return controller.signal;
    };
    let built = 0;
    let removed = 0;
    const builder = async (name: string) => {
      for (let n = 0; n < 12; n++) {
        const signal = killer(0.2);
        const tag = `${name}-${n}`;
        const chain = chains[Math.floor(simulation.random() * chains.length)]!;
        const names = ["from", "install", "setup"];
        const publish = async (signature: string) => {
          signal.throwIfAborted();
          const at = chain.indexOf(signature);
          const previous = chain[at - 1];
          await putStage(registry, {
            name: names[at]!,
            signature,
            ageMs: 9 * DAY,
            ...(previous && { previous }),
          });
        };
        try {
          const options = { builder: tag, signatures: [chain[2]!], clock: simulation, signal };
          const guard = await BuildGuard.start(registry.repository(""), options);
          for (const signature of chain) {
            const there = await registry.repository("").head(stageTag(signature), signal);
            if (!there) await publish(signature);
          }
          await simulation.sleep(simulation.random() * 60_000, signal);
          const stages = chain.map((signature, i) => ({ stage: names[i]!, signature }));
          await putImage(registry, { tag, chain: [{ image: "app", stages }] });
          await guard.finish(chain, publish);
          whole.set(tag, chain);
          built++;
          check("build");
        } catch (error) {
          if (!signal.aborted) throw error;
        }
        await simulation.sleep(simulation.random() * 300_000, endless);
        // Its image is no longer wanted, so that cleanups have something to do.
        whole.delete(tag);
        registry.tags.get("")?.delete(tag);
      }
    };
    const cleaner = async () => {
      // How often builds and cleanups meet is up to the machine; some removals must have been seen in any case.
      for (let n = 0; n < 12 || (removed <= 2 && n < 200); n++) {
        const signal = killer(0.2);
        try {
          const plan = await planFor(registry, { plan: { stages: "unneeded" } });
          const report = await applyPlan(plan, {
            backend: registry,
            memo: memoryMemo(),
            journal: { append: () => Promise.resolve(), dropped: () => Promise.resolve() },
            signal,
            clock: simulation,
            parallel: 2,
            onEvent: () => check("cleanup"),
          });
          removed += report.counts.deleted;
          check("cleanup");
        } catch (error) {
          if (!signal.aborted) throw error;
        }
        await simulation.sleep(simulation.random() * 60_000, endless);
      }
    };
    await simulation.run([builder("x"), builder("y"), builder("z"), cleaner(), cleaner()]);
    assert.deepEqual(problems, []);
    assert.ok(built > 15 && removed > 2, `${built} built, ${removed} removed`);
  });
}
