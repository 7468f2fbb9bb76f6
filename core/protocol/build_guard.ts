import { EngineError } from "../contract/errors.ts";
import { Pool } from "../../lib/pool.ts";
import { labels, stageTag } from "../contract/labels.ts";
import type { Repository } from "../contract/registry.ts";
import { type Clock, PROTOCOL } from "./clock.ts";
import { knownOf } from "./manifest_facts.ts";
import { type HeldLease, takeLease } from "./leases.ts";
import { type MarkOwners, MarkWatch } from "./mark_watch.ts";
import { type Mark, mayHaveLost, mustWait, readMark } from "./marks.ts";

export interface GuardOptions {
  /** Unique for this run. */
  readonly builder: string;
  /** Signatures of the stages of REPO that the build relies on. */
  readonly signatures: readonly string[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How far clocks may be apart, milliseconds. */
  readonly skewMs?: number;
  /** What is known here of cleanups. */
  readonly owners?: MarkOwners;
  readonly settleMs?: number | undefined;
  readonly onWait?: (mark: Mark) => void;
}

/**
 * A build's part in living next to cleanups. Start it before relying on stages of REPO, renew it while building, and
 * finish it after everything is published. A build that neither takes stages from REPO nor publishes needs none.
 */
export class BuildGuard {
  /** Whether there was a time without a valid lease, as after a machine has slept. */
  #lapsed = false;
  #until: number;

  private constructor(
    readonly root: Repository,
    readonly options: GuardOptions,
    readonly lease: HeldLease,
    readonly watch: MarkWatch,
    readonly before: Mark | undefined,
    until: number,
  ) {
    this.#until = until;
  }

  /** Takes the lease, then reads the mark; in this order. Stages must be looked up (again) after this. */
  static async start(root: Repository, options: GuardOptions): Promise<BuildGuard> {
    const { builder, signatures, clock, signal, skewMs = PROTOCOL.skewMs } = options;
    const { leaseMs } = PROTOCOL;
    const until = clock.now() + leaseMs;
    const lease = await takeLease(root, { builder, signatures }, { clock, leaseMs, skewMs, signal });
    const watch = new MarkWatch(options);
    const before = await watch.judge(await readMark(root, signal));
    return new BuildGuard(root, options, lease, watch, before, until);
  }

  /** Moves the end of the lease; call it at least twice in `PROTOCOL.leaseMs`, and once before publishing. */
  async renew(): Promise<void> {
    const { clock, signatures } = this.options;
    const until = clock.now() + PROTOCOL.leaseMs;
    await this.lease.renew(signatures);
    this.#noteLapse();
    this.#until = until;
  }

  #noteLapse(): void {
    if (this.options.clock.now() > this.#until) this.#lapsed = true;
  }

  /**
   * Makes sure, after all tags are live, that every stage of `chain` is in REPO: waits for a cleanup that condemned one
   * of them, then looks, if any cleanup was at work since the start or the lease ran out, and publishes again what went. Gives what it had to
   * publish.
   */
  async finish<S extends string>(
    chain: readonly S[],
    republish: (signature: S) => Promise<void>,
  ): Promise<readonly S[]> {
    const { clock, signal } = this.options;
    const skewMs = this.options.skewMs ?? PROTOCOL.skewMs;
    const needs = new Set(chain);
    const read = async () => await this.watch.judge(await readMark(this.root, signal));
    let mark = await read();
    for (let told = false; mustWait(mark, needs, { now: clock.now(), skewMs }); told = true) {
      if (!told) this.options.onWait?.(mark!);
      await clock.sleep(PROTOCOL.pollMs, signal);
      mark = await read();
    }
    const lost: S[] = [];
    this.#noteLapse();
    if (this.#lapsed || mayHaveLost(this.before, mark)) {
      const pool = new Pool(8);
      await Promise.all([...needs].map((signature) =>
        pool.run(async () => {
          if (!await this.#isThere(stageTag(signature))) lost.push(signature);
        })
      ));
      // Lowest first, so that stopping midway leaves no stage without the one before it.
      lost.sort((a, b) => chain.indexOf(a) - chain.indexOf(b));
      for (const signature of lost) await republish(signature);
    }
    await this.abandon();
    return lost;
  }

  /** Whether a tag is at something, and not at what stands in for it while it is being removed. */
  async #isThere(tag: string): Promise<boolean> {
    const manifest = await this.root.manifest(tag, this.options.signal);
    const known = manifest && knownOf(manifest);
    return known !== undefined && known.annotations[labels.removed] === undefined;
  }

  /** Gives the lease back. Where the registry does not take that, it ends by itself. */
  async abandon(): Promise<void> {
    try {
      await this.lease.release();
    } catch (error) {
      if (!(error instanceof EngineError) || this.options.signal.aborted) throw error;
    }
  }
}
