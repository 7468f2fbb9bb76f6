import { messageOf } from "../contract/errors.ts";
import type { EventSink, StageRef } from "../contract/events.ts";
import type { BuildTimes } from "../contract/results.ts";
import type { Signature } from "../contract/signature.ts";
import type { SignedImage } from "../sign/sign.ts";
import type { Ledger } from "./ledger.ts";
import type { Activity, Stopwatch } from "./stopwatch.ts";

/** Whom the progress of a build is told. */
export interface ProgressNeeds {
  readonly emit: EventSink;
  readonly ledger: Ledger;
  /** Of the build so far. */
  readonly watch: Stopwatch;
  /** Ends the build: the user's, and `stop`. */
  readonly signal: AbortSignal;
  /** Ends what runs once a stage has failed, when that is wanted. */
  readonly stop?: AbortController;
}

/** Thrown inside when something else failed first; never reaches the caller. */
class NotStarted extends Error {}

/** How far a build has come: the times of its images, how many stages it built, and what failed first. */
export class BuildProgress {
  /** By key of the image. */
  readonly #watches: ReadonlyMap<string, Stopwatch>;
  #failure: { readonly error: unknown } | undefined;
  /** Stages built here, by key of the image that asked for them first. */
  readonly builtByImage = new Map<string, number>();

  constructor(readonly needs: ProgressNeeds, images: readonly SignedImage[]) {
    this.#watches = new Map(images.map(({ node }) => [node.key, needs.watch.fork()]));
  }

  /** How long an image took so far, or until it was saved. */
  timesOf(key: string): BuildTimes {
    return this.#watches.get(key)!.times;
  }

  /** An image is saved. */
  saved(key: string): void {
    this.#watches.get(key)!.stop();
  }

  /** Begins an activity of an image, and so of the build; what it gives ends it. */
  begin(key: string, activity: Activity): () => void {
    const ends = [this.needs.watch, this.#watches.get(key)!].map((watch) => watch.begin(activity));
    return () => ends.forEach((end) => end());
  }

  /** A stage of the image was built. */
  built(key: string): void {
    this.builtByImage.set(key, (this.builtByImage.get(key) ?? 0) + 1);
  }

  /** @throws what {@linkcode newsOf} does not take for news, when a stage has failed: nothing new begins then */
  requireUnbroken(): void {
    if (this.#failure) throw new NotStarted("Another stage failed first");
  }

  /** Which of several failures is to be told. */
  newsOf(errors: readonly unknown[]): unknown {
    return errors.find((error) => !(error instanceof NotStarted)) ?? this.#failure?.error;
  }

  /** A stage could not be made, or not be saved. */
  failed(at: StageRef, signature: Signature, error: unknown): void {
    const { signal, stop, ledger, emit } = this.needs;
    if (error instanceof NotStarted) return;
    ledger.end(signature);
    if (stop?.signal.aborted) return emit({ type: "stage.stopped", at, signature });
    if (signal.aborted) return;
    const first = this.#failure === undefined;
    this.#failure ??= { error };
    const { running, notStarted } = ledger;
    const message = messageOf(error);
    emit({ type: "stage.failed", at, signature, message, ...(first && { running, notStarted }) });
    stop?.abort(error);
  }
}
