import { DockerEngine, DockerError } from "../../../lib/docker/engine.ts";
import { EngineError } from "../../contract/errors.ts";
import type { Signature } from "../../contract/signature.ts";
import type { LocalCleanupNeeds } from "../needs.ts";
import { layersOf, NOTHING } from "./leftovers.ts";
import { isReset, type LocalCleanupPlan, type LocalCleanupReport, type LocalCleanupRow } from "./model.ts";

/** Does what a plan says; what has come into use meanwhile stays. */
export async function applyLocalRun(
  session: LocalCleanupNeeds,
  plan: LocalCleanupPlan,
): Promise<LocalCleanupReport> {
  if (session.options.dryRun) {
    throw new TypeError("Cannot apply a plan: this engine only says what it would do");
  }
  return await new LocalRemoval(session, plan).run();
}

/** One run of a plan. */
class LocalRemoval {
  readonly #going: readonly LocalCleanupRow[];
  readonly #removed = new Set<LocalCleanupRow>();
  readonly #spared: LocalCleanupReport["spared"][number][] = [];
  #freedBytes = 0;

  constructor(readonly session: LocalCleanupNeeds, readonly plan: LocalCleanupPlan) {
    this.#going = plan.rows.filter(({ verdict }) => verdict === "delete");
  }

  async run(): Promise<LocalCleanupReport> {
    await this.#forgetStages();
    await this.#sweep();
    await this.#removeImages();
    const removed = this.#going.filter((row) => this.#removed.has(row));
    return { removed, freedBytes: this.#freedBytes, spared: this.#spared };
  }

  #rows(kind: LocalCleanupRow["kind"]): readonly LocalCleanupRow[] {
    return this.#going.filter((row) => row.kind === kind);
  }

  async #forgetStages(): Promise<void> {
    const { locks, housekeeping } = await this.session.storeOnly();
    const claimed = await locks.claimed();
    for (const row of this.#rows("stage")) {
      this.session.options.signal.throwIfAborted();
      const { name } = row;
      const who = claimed.get(name as Signature);
      if (who !== undefined) this.#spared.push({ name, why: `${who} relies on it` });
      else {
        await housekeeping.forget(name as Signature);
        this.#removed.add(row);
      }
    }
  }

  /** Removes what no stage has any more, and of a reset all else, unless another process has the store open. */
  async #sweep(): Promise<void> {
    const store = await this.session.storeOnly();
    const directories = this.#rows("directory");
    const { busy, bytes, memos } = await store.housekeeping.sweep({
      alone: async () => {
        const records = await Array.fromAsync(store.stages.all());
        await using builder = await this.session.tidyBuilder();
        const { kept } = await builder?.leftovers?.(layersOf(records), { dryRun: false }) ?? NOTHING;
        this.#spared.push(...kept.map((name) => ({ name, why: "another user owns what is in it" })));
        const resets = new Set(isReset(this.plan.request) ? directories.map(({ name }) => name) : []);
        for (const { path, remove } of await store.housekeeping.sections()) {
          if (resets.has(path)) await remove();
        }
      },
    });
    this.#freedBytes += bytes + (memos?.bytes ?? 0);
    if (busy) {
      const why = "another process uses the store; the next cleanup frees the space";
      this.#spared.push({ name: store.path, why });
    } else directories.forEach((row) => this.#removed.add(row));
  }

  async #removeImages(): Promise<void> {
    const rows = this.#rows("docker image");
    if (rows.length === 0) return;
    const { env, signal } = this.session.options;
    try {
      await using engine = new DockerEngine(env);
      for (const row of rows) {
        const { name, bytes = 0 } = row;
        if (await engine.removeImage(name, signal)) {
          this.#removed.add(row);
          this.#freedBytes += bytes;
        } else this.#spared.push({ name, why: "a container uses it" });
      }
    } catch (error) {
      if (!(error instanceof DockerError)) throw error;
      throw new EngineError("DOCKER_FAILED", error.message, { cause: error });
    }
  }
}
