import type { ApplyOptions, ApplyReport, TagOutcome, TagResult } from "./apply_model.ts";
import type { PlannedRemoval } from "./plan.ts";

/** What became of the tags of a plan so far, told as it comes. */
export class Outcomes {
  readonly #results = new Map<string, TagResult>();
  readonly #start: number;

  /** @param going the tags that are to go, in the order of the report */
  constructor(
    readonly going: readonly PlannedRemoval[],
    readonly options: Pick<ApplyOptions, "clock" | "onEvent">,
  ) {
    this.#start = options.clock.now();
  }

  /** Takes what became of a tag. */
  note(result: TagResult): void {
    this.#results.set(result.reference, result);
    const { onEvent, clock } = this.options;
    if (!onEvent) return;
    onEvent({ type: "tag", result });
    const [done, total] = [this.#results.size, this.going.length];
    const perSecond = done / Math.max((clock.now() - this.#start) / 1000, 0.001);
    onEvent({
      type: "progress",
      done,
      total,
      perSecond,
      etaMs: Math.round((total - done) / perSecond * 1000),
    });
  }

  /** Whether this run deleted a tag. */
  isDeleted(reference: string): boolean {
    return this.#results.get(reference)?.outcome === "deleted";
  }

  /** Whether a tag is not there any more. */
  isGone(reference: string): boolean {
    return this.isDeleted(reference) || this.#results.get(reference)?.outcome === "gone";
  }

  /** The report on a run that came to its end. */
  finish(): ApplyReport {
    const results = [...this.#results.values()];
    const stays = results.filter(({ outcome, why }) => outcome === "deleted" && why !== undefined);
    const left = results.some(({ outcome }) =>
      outcome === "failed" || outcome === "refused" || outcome === "not tried"
    );
    if (stays.length === 0) return this.report(left ? "partial" : "complete");
    const what = stays.length === 1
      ? "1 image that lost its tags takes"
      : `${stays.length} images that lost their tags take`;
    return this.report(
      "partial",
      `${what} space all the same: ${stays[0]!.why}`,
      "Give this login the right that is missing; what has lost its tags can be deleted in the registry itself",
    );
  }

  /** The report on a run that ends now; `message` says what ended it, `fix` what to do about that. */
  report(outcome: ApplyReport["outcome"], message?: string, fix?: string): ApplyReport {
    const counts: Record<TagOutcome, number> = {
      deleted: 0,
      gone: 0,
      spared: 0,
      refused: 0,
      failed: 0,
      "not tried": 0,
    };
    const tags = this.going.map(({ reference }): TagResult =>
      this.#results.get(reference) ??
        { reference, outcome: "not tried", why: message ?? "the run ended before" }
    );
    for (const tag of tags) counts[tag.outcome]++;
    const exitCode = outcome === "complete" ? 0 : outcome === "interrupted" ? 130 : 1;
    return {
      outcome,
      exitCode,
      ...(message !== undefined && { message }),
      ...(fix !== undefined && { fix }),
      counts,
      tags,
    };
  }
}
