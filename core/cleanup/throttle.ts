import { EngineError } from "../contract/errors.ts";
import { Pool } from "../../lib/pool.ts";
import { defaultRetryPolicy } from "../../lib/registry/retry.ts";
import type { Clock } from "../protocol/clock.ts";

export interface ThrottleOptions {
  /** The most pieces of work at once, at each moment. */
  parallel(): number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told when the server asked to slow down. */
  readonly onLimited?: (limit: { readonly parallel: number; readonly waitMs: number }) => void;
}

/** How often one piece of work may be put off before its failure counts. */
const MAX_PUT_OFF = 10;
/** Successes in a row after which one more may run. */
const RAISE_AFTER = 20;

/**
 * Runs work side by side and adapts to a server that says it is too much: then half as many run, nobody asks until the
 * time it named is over, and the number grows again slowly. Who names a time that no request waits for is not asked again.
 */
export class Throttle {
  readonly #pool = new Pool(() => this.parallel);
  #limit = Infinity;
  #successes = 0;
  #until = 0;

  constructor(readonly options: ThrottleOptions) {}

  /** Pieces of work that may run at once now. */
  get parallel(): number {
    return Math.min(this.#limit, this.options.parallel());
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    for (let tries = 0;; tries++) {
      const done = await this.#pool.run(() => this.#try(work, tries));
      if (done) return done.result;
    }
  }

  /** Undefined when the server wants to be asked later. */
  async #try<T>(work: () => Promise<T>, tries: number): Promise<{ readonly result: T } | undefined> {
    const { clock, signal } = this.options;
    while (clock.now() < this.#until) await clock.sleep(this.#until - clock.now(), signal);
    try {
      const result = await work();
      if (++this.#successes % RAISE_AFTER === 0) this.#limit++;
      return { result };
    } catch (error) {
      const limited = limitOf(error);
      if (!limited || tries >= MAX_PUT_OFF || signal.aborted) throw error;
      const { waitMs = Math.min(1000 * 2 ** tries, 60_000) } = limited;
      if (waitMs > defaultRetryPolicy.longestWaitMs) throw error;
      this.#slowDown(waitMs);
      return undefined;
    }
  }

  #slowDown(waitMs: number): void {
    const { clock, onLimited } = this.options;
    this.#successes = 0;
    const until = clock.now() + waitMs;
    // Answers to requests that were under way together count once.
    if (clock.now() >= this.#until) {
      this.#limit = Math.max(1, Math.floor(this.parallel / 2));
      onLimited?.({ parallel: this.#limit, waitMs });
    }
    this.#until = Math.max(this.#until, until);
  }
}

/** Whether a failure is a server's wish to be asked later. */
function limitOf(error: unknown): { readonly waitMs?: number } | undefined {
  if (!(error instanceof EngineError) || !error.details.limited) return undefined;
  const { retryAfterMs } = error.details;
  return retryAfterMs === undefined ? {} : { waitMs: retryAfterMs };
}
