/** Room in a pool, for the work that has it. */
export interface Turn {
  /** What is left to do takes no room: other work may begin, as long as no more than a pool full is left so. */
  leave(): void;
  /** It takes room again, at once. */
  enter(): void;
}

/** Lets at most so many pieces of work run at once, in the order they asked. */
export class Pool {
  #size: () => number;
  #running = 0;
  /** Pieces of work that have left their room and go on. */
  #left = 0;
  readonly #waiting: (() => void)[] = [];

  /** @param size where it changes, a function, which is asked whenever work begins or ends */
  constructor(size: number | (() => number)) {
    this.#size = typeof size === "number" ? () => size : size;
  }

  get size(): number {
    return this.#size();
  }

  /** What runs goes on when there is less room than that. */
  resize(size: number): void {
    this.#size = () => size;
    this.#admit();
  }

  /** Whether the next piece of work has to wait. */
  get full(): boolean {
    const { size } = this;
    return this.#running >= size || this.#running + this.#left >= 2 * size;
  }

  /** @throws the signal's reason when that is aborted before it is this work's turn; the others keep theirs */
  async run<T>(work: (turn: Turn) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    if (this.full) await this.#turn(signal);
    else this.#running++;
    let inside = true;
    const move = (inward: boolean) => {
      if (inside === inward) return;
      inside = inward;
      this.#running += inward ? 1 : -1;
      this.#left += inward ? -1 : 1;
      this.#admit();
    };
    try {
      signal?.throwIfAborted();
      return await work({ leave: () => move(false), enter: () => move(true) });
    } finally {
      if (inside) this.#running--;
      else this.#left--;
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
