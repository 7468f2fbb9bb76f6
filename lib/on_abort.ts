/** Those who wait for one signal. */
class Waiting {
  readonly #stops = new Set<() => void>();
  readonly #tell = () => {
    for (const stop of this.#stops) stop();
  };

  constructor(readonly signal: AbortSignal) {}

  add(stop: () => void): void {
    if (this.#stops.size === 0) this.signal.addEventListener("abort", this.#tell, { once: true });
    this.#stops.add(stop);
  }

  delete(stop: () => void): void {
    if (!this.#stops.delete(stop) || this.#stops.size > 0) return;
    this.signal.removeEventListener("abort", this.#tell);
  }
}

const waiting = new WeakMap<AbortSignal, Waiting>();

/**
 * Has `stop`, which must not throw, called when a signal is aborted, until {@linkcode offAbort}. There is one listener for
 * all who wait for a signal: to add and remove one for each small request costs as much as sending it.
 */
export function onAbort(signal: AbortSignal, stop: () => void): void {
  let found = waiting.get(signal);
  if (!found) waiting.set(signal, found = new Waiting(signal));
  found.add(stop);
}

/** Whoever has called {@linkcode onAbort} with these does not wait any more. */
export function offAbort(signal: AbortSignal, stop: () => void): void {
  waiting.get(signal)?.delete(stop);
}
