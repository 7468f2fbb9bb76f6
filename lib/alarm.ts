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
  readonly #look = () => {
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
    this.#clock.addEventListener("abort", this.#look, { once: true });
  }

  /** Nothing rings, and nothing keeps the process from ending, until it is set again. */
  stop(): void {
    this.#due = Infinity;
    this.#clock?.removeEventListener("abort", this.#look);
  }
}
