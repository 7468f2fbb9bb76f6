import { EngineDisposed } from "../hooks/dispose.ts";

/** How long an engine works: until its signal is aborted or it is disposed of. */
export class Life {
  readonly #over = new AbortController();
  readonly #running = new Set<Promise<unknown>>();
  /** Ends all work. */
  readonly signal: AbortSignal;

  /** @param signal of who uses the engine */
  constructor(signal: AbortSignal | undefined) {
    const over = this.#over.signal;
    this.signal = signal ? AbortSignal.any([signal, over]) : over;
  }

  /**
   * Does a piece of work. Once the signal is aborted it fails with the signal's reason, whatever the abort made of it.
   *
   * @param tells its answer says what was done before it was stopped
   */
  async during<T>(work: () => Promise<T>, { tells }: { readonly tells: boolean }): Promise<T> {
    this.signal.throwIfAborted();
    const running = work();
    this.#running.add(running);
    try {
      const answer = await running;
      if (!tells) this.signal.throwIfAborted();
      return answer;
    } catch (error) {
      this.signal.throwIfAborted();
      throw error;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Stops what still runs, waits for it, and then lets go. */
  async end(letGo: () => Promise<void>): Promise<void> {
    this.#over.abort(new EngineDisposed());
    await Promise.allSettled(this.#running);
    await letGo();
  }
}
