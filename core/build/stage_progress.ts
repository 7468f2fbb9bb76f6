import type { EventSink, StageRef } from "../contract/events.ts";
import type { StepPlace } from "../contract/place.ts";
import type { Signature } from "../contract/signature.ts";
import type { SignedImage, SignedStage } from "../sign/sign.ts";
import { refOf } from "../sign/stage_ref.ts";
import type { BuildProgress } from "./build_progress.ts";
import type { Ledger } from "./ledger.ts";
import { wholeMs } from "./stopwatch.ts";

/** How far one stage has come: it waits, runs and is saved, all of which is told, and has the time that each of these took. */
export class StageProgress {
  readonly #of: { readonly at: StageRef; readonly signature: Signature };
  readonly #image: string;
  readonly #emit: EventSink;
  readonly #ledger: Ledger;
  readonly #asked = wholeMs();
  #began = this.#asked;
  #runningMs = 0;
  #waited = false;
  /** Ends what its image is busy with. */
  #end = () => {};

  constructor(readonly build: BuildProgress, image: SignedImage, stage: SignedStage) {
    this.#of = { at: refOf(image, stage), signature: stage.signature };
    this.#image = image.node.key;
    this.#emit = build.needs.emit;
    this.#ledger = build.needs.ledger;
  }

  /** Whether it had to wait for something. */
  get waited(): boolean {
    return this.#waited;
  }

  /** Milliseconds that its work took. */
  get runningMs(): number {
    return this.#runningMs;
  }

  /** Where its commands ran last. */
  get builtBy(): StepPlace | undefined {
    return this.#ledger.placeOf(this.#of.signature);
  }

  /** It has to wait; `reason` says for what, or until when. */
  wait(reason: string): void {
    this.#waited = true;
    this.#emit({ type: "stage.waiting", ...this.#of, reason });
  }

  /** It need not be made: it is there. */
  reuse(reason: string): void {
    this.#ledger.end(this.#of.signature, { state: "reused" });
    this.#emit({ type: "stage.reused", ...this.#of, reason });
  }

  /** It need not be made: it came from a registry. */
  fetch(): void {
    this.#ledger.end(this.#of.signature, { state: "fetched" });
  }

  /** It will be made now. */
  start(reason: string): void {
    this.#ledger.start(this.#of.signature, this.#of.at);
    this.#emit({ type: "stage.started", ...this.#of, reason });
  }

  /** Its work begins; all before was waiting. */
  run(): void {
    this.#began = wholeMs();
    this.#end = this.build.begin(this.#image, "running");
  }

  /** Its commands run there. */
  place(place: StepPlace): void {
    this.#ledger.place(this.#of.signature, place);
    if (place.address !== undefined) this.#emit({ type: "stage.placed", ...this.#of, place });
  }

  /** Its work is done. */
  save(): void {
    this.#runningMs = wholeMs() - this.#began;
    const end = this.build.begin(this.#image, "saving");
    this.#end();
    this.#end = end;
    this.#ledger.save(this.#of.signature);
    this.#emit({ type: "stage.saving", ...this.#of });
  }

  /** It is saved: bytes that it added, and milliseconds that saving it took, and waiting for others meanwhile. */
  finish({ size, savingMs, waitedMs }: {
    readonly size: number;
    readonly savingMs: number;
    readonly waitedMs: number;
  }): void {
    const runningMs = this.#runningMs;
    const waitingMs = this.#began - this.#asked + waitedMs;
    const times = { ms: runningMs + savingMs, runningMs, savingMs, waitingMs };
    this.build.built(this.#image);
    this.#ledger.end(this.#of.signature, { state: "built", ...times });
    this.#emit({ type: "stage.finished", ...this.#of, ...times, size });
  }

  fail(error: unknown): void {
    this.build.failed(this.#of.at, this.#of.signature, error);
  }

  /** Nothing is done with it any more. */
  end(): void {
    this.#end();
  }
}
