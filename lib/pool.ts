/** Lets at most `size` pieces of work run at once, in the order they asked. */
export class Pool {
  #size: number;
  #running = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(size: number) {
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  /** What runs goes on when there is less room than that. */
  resize(size: number): void {
    this.#size = size;
    this.#admit();
  }

  /** Whether the next piece of work has to wait. */
  get full(): boolean {
    return this.#running >= this.#size;
  }

  /** @throws the signal's reason when that is aborted before it is this work's turn; the others keep theirs */
  async run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.full) await this.#turn(signal);
    else this.#running++;
    try {
      signal?.throwIfAborted();
      return await work();
    } finally {
      this.#running--;
      this.#admit();
    }
  }

  #admit(): void {
    while (!this.full) {
      const next = this.#waiting.shift();
      if (!next) return;
      this.#running++;
      next();
    }
  }

  async #turn(signal: AbortSignal | undefined): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = () => {
      const at = this.#waiting.indexOf(resolve);
      if (at < 0) return;
      this.#waiting.splice(at, 1);
      reject(signal?.reason);
    };
    this.#waiting.push(resolve);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
  }
}

/** A promise that may fail before anybody looks at it. */
export function observed<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
