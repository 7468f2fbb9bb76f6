import { BuildGuard } from "../protocol/build_guard.ts";
import { PROTOCOL } from "../protocol/clock.ts";
import { localMarkOwners } from "../protocol/mark_owners.ts";
import { EngineError } from "../contract/errors.ts";
import type { Store } from "../contract/store.ts";
import type { SignedImage, SignedStage } from "../sign/sign.ts";
import type { StageFinder } from "./stage_finder.ts";
import type { StagePublisher } from "./stage_publisher.ts";
import type { Signature } from "../contract/signature.ts";

/** Renewals within the life of a lease. */
const RENEWALS = 3;

/**
 * Lets a run that takes stages from a registry or publishes them live next to cleanups of it: holds a lease on all
 * stages of the run, keeps away from those that a cleanup is about to remove, and in the end makes sure that what it
 * published is still there. docs/protocol.md describes the protocol.
 */
export class GuardedStages {
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(
    readonly finder: StageFinder,
    readonly publisher: StagePublisher,
    readonly store: Store,
    readonly guard: BuildGuard,
    readonly stages: ReadonlyMap<Signature, { readonly image: SignedImage; readonly stage: SignedStage }>,
  ) {
    const every = PROTOCOL.leaseMs / RENEWALS;
    // A renewal that fails is tried again; the look at the end holds without it.
    this.#timer = setInterval(() => void this.guard.renew().catch(() => {}), every);
  }

  /**
   * Takes the lease. Stages must be looked up after this. Undefined, after a warning, where the registry takes no lease,
   * such as one whose tags cannot be overwritten: the run itself needs none.
   *
   * @throws {EngineError} REGISTRY_DENIED before anything is built, when this user may not publish at all
   */
  static async start(
    finder: StageFinder,
    publisher: StagePublisher,
  ): Promise<GuardedStages | undefined> {
    const { signal, emit, target } = publisher.needs;
    try {
      return await GuardedStages.#start(finder, publisher);
    } catch (error) {
      // What is published could not be read: better said before anything is built.
      if (!(error instanceof EngineError) || signal.aborted || error.details.withheld) throw error;
      // Where tags cannot be changed, cleanups remove none.
      if (error.details.locked) return undefined;
      // Who may not store a lease may store no stage either, or is kept from this tag alone.
      const barred = error.code === "REGISTRY_DENIED" || error.code === "REGISTRY_UNSUPPORTED";
      if (barred) await target.requirePush?.(signal);
      const text = `${error.message}. Do not clean up ${target.name} while this runs`;
      emit({ type: "note", level: "warn", text });
      return undefined;
    }
  }

  static async #start(finder: StageFinder, publisher: StagePublisher): Promise<GuardedStages> {
    const { signal, emit, signed, store, target, clock } = publisher.needs;
    const rows = signed.images.flatMap((image) =>
      image.stages.map((stage) => [stage.signature, { image, stage }] as const)
    );
    const stages = new Map(rows);
    const guard = await BuildGuard.start(target, {
      builder: crypto.randomUUID(),
      signatures: [...stages.keys()],
      clock,
      signal,
      owners: localMarkOwners(`${store.path}/cleanup/marks`),
      onWait: ({ until }) => {
        const text = `A cleanup of ${target.name} is about to remove stages of this build; waiting for it, ` +
          `until ${new Date(until).toISOString()} at most`;
        emit({ type: "note", level: "info", text });
      },
    });
    // What is about to go is built again rather than relied on.
    const { before } = guard;
    if (before?.active && before.until + PROTOCOL.skewMs >= clock.now()) finder.avoid(before.condemned);
    return new GuardedStages(finder, publisher, store, guard, stages);
  }

  /** Publishes again what a cleanup removed meanwhile, and gives the lease back. */
  async finish(): Promise<void> {
    const there: Signature[] = [];
    for (const signature of this.stages.keys()) {
      if (await this.finder.wasPublished(signature)) there.push(signature);
    }
    await this.guard.finish(there, async (signature) => {
      const { image, stage } = this.stages.get(signature)!;
      // Its layers may be in REPO alone.
      const record = await this.store.stages.record(stage.signature);
      if (record) await this.publisher.publishAgain(image, stage, record);
    });
    this.#stop();
  }

  /** Gives the lease back after a failure. */
  async abandon(): Promise<void> {
    this.#stop();
    await this.guard.abandon().catch(() => {});
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
