/**
 * Rings once when the time it was set to has come. To set it again moves that time, for each piece of a transfer if need
 * be. The first `setTimeout` of a process costs Deno 10 ms and more; the clock of a signal costs nothing, but cannot be
 * moved: when it rings too early, another one is started for the rest.
 */
export class Alarm {
  #clock: AbortSignal | undefined;
  /** When the clock rings. */
  #rings = 0;
  #due = Infinity;
  #late = () => {};
  /** Whether the clock is listened to, which keeps the process from ending. */
  #listens = false;
  readonly #look = () => {
    this.#listens = false;
    if (this.#due === Infinity) return;
    const left = this.#due - performance.now();
    if (left > 0) return this.set(left, this.#late);
    this.stop();
    this.#late();
  };

  /** Calls `late` in so many milliseconds, unless it is set again or stopped before. */
  set(ms: number, late: () => void): void {
    this.#late = late;
    const due = performance.now() + ms;
    if (!this.#clock || this.#clock.aborted || due < this.#rings) {
      this.stop();
      this.#clock = AbortSignal.timeout(Math.ceil(ms));
      this.#rings = due;
    }
    this.#due = due;
    if (this.#listens) return;
    this.#clock.addEventListener("abort", this.#look, { once: true });
    this.#listens = true;
  }

  /** Nothing rings until it is set again, which will be soon: costs less than {@linkcode stop}, but the process is kept. */
  pause(): void {
    this.#due = Infinity;
  }

  /** Nothing rings, and nothing keeps the process from ending, until it is set again. */
  stop(): void {
    this.#due = Infinity;
    this.#clock?.removeEventListener("abort", this.#look);
    this.#listens = false;
  }
}
