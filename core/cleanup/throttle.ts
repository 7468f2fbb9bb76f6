import { EngineError } from "../contract/errors.ts";
import type { Clock } from "../protocol/clock.ts";

export interface ThrottleOptions {
  /** The most pieces of work at once. */
  readonly parallel: number;
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
 * time it named is over, and the number grows again slowly.
 */
export class Throttle {
  #limit: number;
  #running = 0;
  #successes = 0;
  #until = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(readonly options: ThrottleOptions) {
    this.#limit = options.parallel;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    const { clock, signal } = this.options;
    for (let tries = 0;; tries++) {
      await this.#enter();
      let limited: { readonly waitMs?: number } | undefined;
      try {
        while (clock.now() < this.#until) await clock.sleep(this.#until - clock.now(), signal);
        const result = await work();
        if (++this.#successes % RAISE_AFTER === 0 && this.#limit < this.options.parallel) this.#limit++;
        return result;
      } catch (error) {
        limited = limitOf(error);
        if (!limited || tries >= MAX_PUT_OFF || signal.aborted) throw error;
        this.#slowDown(limited.waitMs ?? Math.min(1000 * 2 ** tries, 60_000));
      } finally {
        this.#leave();
      }
    }
  }

  #slowDown(waitMs: number): void {
    const { clock, onLimited } = this.options;
    this.#successes = 0;
    const until = clock.now() + waitMs;
    // Answers to requests that were under way together count once.
    if (clock.now() >= this.#until) {
      this.#limit = Math.max(1, Math.floor(this.#limit / 2));
      onLimited?.({ parallel: this.#limit, waitMs });
    }
    this.#until = Math.max(this.#until, until);
  }

  async #enter(): Promise<void> {
    while (this.#running >= this.#limit) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#running++;
  }

  #leave(): void {
    this.#running--;
    for (let n = this.#limit - this.#running; n > 0; n--) this.#waiting.shift()?.();
  }
}

/** Whether a failure is a server's wish to be asked later. */
function limitOf(error: unknown): { readonly waitMs?: number } | undefined {
  if (!(error instanceof EngineError) || !error.details.limited) return undefined;
  const { retryAfterMs } = error.details;
  return retryAfterMs === undefined ? {} : { waitMs: retryAfterMs };
}
