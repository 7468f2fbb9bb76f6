import { EngineError } from "../contract/errors.ts";
import { earlier, later, PROTOCOL } from "../protocol/clock.ts";
import { MarkWatch } from "../protocol/mark_watch.ts";
import { type Mark, mayMark, mayRemove, readMark, retractMark, writeMark } from "../protocol/marks.ts";
import type { ApplyOptions } from "./apply_model.ts";

/** What marking stages takes. */
export type MarkNeeds = Pick<
  ApplyOptions,
  "backend" | "clock" | "signal" | "owners" | "skewMs" | "graceMs" | "windowMs" | "onEvent"
>;

/** Times that a mark is written which is gone when builds had their time, though no other cleanup is at work. */
const TRIES = 3;

/** Longest wait for an answer, in milliseconds, when a mark is given up. */
const GIVE_UP_MS = 5000;

/** The marks of one cleanup, one after another: builds see by them which stages are about to go. */
export class StageMarks {
  readonly #skewMs: number;
  readonly #graceMs: number;
  /** How much later a mark says its times than this machine's clock, by which they are judged here. */
  #aheadMs = 0;

  constructor(readonly needs: MarkNeeds) {
    this.#skewMs = needs.skewMs ?? PROTOCOL.skewMs;
    this.#graceMs = needs.graceMs ?? PROTOCOL.graceMs;
  }

  get #root() {
    return this.needs.backend.repository("");
  }

  /**
   * Says which stages are to go, by their signatures, gives builds time to notice, and makes sure that no other cleanup
   * is at work. `held` lets others here see that this one lives.
   */
  async put(
    condemned: readonly string[],
  ): Promise<{ readonly mark: Mark; readonly held: AsyncDisposable }> {
    const { clock, signal, owners, onEvent, windowMs = PROTOCOL.windowMs } = this.needs;
    const [root, graceMs] = [this.#root, this.#graceMs];
    const watch = new MarkWatch({ clock, owners, settleMs: graceMs / 2 });
    const told = new Set<string>();
    for (let lost = 0;;) {
      const readAt = await this.#turn(watch, told);
      const at = clock.now();
      this.#aheadMs = later(at, clock) - at;
      const until = at + graceMs + windowMs;
      const mark: Mark = { id: crypto.randomUUID(), active: true, at, until, condemned };
      let own = false;
      await using stack = new AsyncDisposableStack();
      if (owners) stack.use(await owners.hold(mark.id));
      try {
        await writeMark(root, this.#told(mark), signal);
        const slow = clock.now() - readAt > PROTOCOL.graceMs / 2;
        onEvent?.({ type: "waiting", ms: graceMs, why: "builds are told which stages will go" });
        await clock.sleep(graceMs, signal);
        if (slow) continue;
        const present = await readMark(root, signal);
        own = this.#holds(present, mark);
        if (own) return { mark, held: stack.move() };
        if (!present?.active && ++lost === TRIES) {
          throw new EngineError(
            "REGISTRY_FAILED",
            `Cannot tell builds which stages of ${root.name} will go: the registry took the mark ${TRIES} times, and ` +
              "does not have it afterwards",
          );
        }
      } finally {
        if (!own) await this.#takeBack(mark).catch(() => {});
      }
    }
  }

  /** Whether what is asked for now takes effect while the mark still stands. */
  isStanding(mark: Mark): boolean {
    const margin = Math.min(PROTOCOL.graceMs / 2, (mark.until - mark.at) / 4);
    return mayRemove(mark, mark.id, this.needs.clock.now() + margin);
  }

  /** Says that a mark is over, unless it ran out: then another's may be there. */
  async end(mark: Mark): Promise<void> {
    if (this.isStanding(mark)) {
      await retractMark(this.#root, { ...mark, active: false }, this.needs.signal);
    }
  }

  /** Ends a mark after a failure, as soon as a removal under way has taken effect, or never will. */
  async giveUp(mark: Mark): Promise<void> {
    if (!this.isStanding(mark)) return;
    const until = Math.min(mark.until, this.needs.clock.now() + PROTOCOL.graceMs / 2);
    const signal = AbortSignal.timeout(GIVE_UP_MS);
    await retractMark(this.#root, this.#told({ ...mark, until }), signal).catch(() => {});
  }

  /** Says that stages have gone without a mark before. Where another cleanup is at work by now, builds have to see its mark. */
  async tellGone(): Promise<void> {
    const { clock, signal } = this.needs;
    const at = clock.now();
    if (!mayMark(await readMark(this.#root, signal), earlier(at, clock), this.#skewMs)) return;
    const mark = { id: crypto.randomUUID(), active: false, at, until: at, condemned: [] };
    await writeMark(this.#root, mark, signal);
  }

  /** Waits until no other cleanup is at work; gives when that was asked. `told` has the marks that were told of. */
  async #turn(watch: MarkWatch, told: Set<string>): Promise<number> {
    const { clock, signal, onEvent } = this.needs;
    for (;;) {
      const readAt = clock.now();
      const present = await watch.judge(await readMark(this.#root, signal));
      if (!present || mayMark(present, clock.now(), this.#skewMs)) return readAt;
      if (!told.has(present.id)) {
        told.add(present.id);
        const ends = present.until + this.#skewMs;
        onEvent?.({
          type: "waiting",
          ms: Math.max(0, ends - clock.now()),
          why: `another cleanup is at work, until ${new Date(ends).toISOString()} at most`,
        });
      }
      await clock.sleep(Math.min(PROTOCOL.pollMs, this.#graceMs), signal);
    }
  }

  /** Takes back a mark by which nothing was removed, if it is still there: nobody need wait for it. */
  async #takeBack(mark: Mark): Promise<void> {
    const signal = AbortSignal.timeout(GIVE_UP_MS);
    if (!this.#holds(await readMark(this.#root, signal), mark)) return;
    await retractMark(this.#root, { ...mark, active: false }, signal);
  }

  /** A mark as others read it. */
  #told(mark: Mark): Mark {
    return { ...mark, at: mark.at + this.#aheadMs, until: mark.until + this.#aheadMs };
  }

  /** Whether a mark is what is there, and not over. */
  #holds(present: Mark | undefined, mark: Mark): boolean {
    return mayRemove(present, mark.id, this.needs.clock.now() + this.#aheadMs);
  }
}
