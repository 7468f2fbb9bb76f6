/**
 * Does a piece of work for each of very many things, in their order. Only some of it is begun at a time, as what is begun
 * and waits for its turn takes twenty times the memory of what waits to be begun.
 */
export class Backlog<T> {
  readonly #most: number;
  readonly #work: (item: T) => Promise<void>;
  /** Begins at `#next`: to take from the front of a long list costs as much as the list is long. */
  #waiting: T[] = [];
  #next = 0;
  #begun = 0;
  #idle = Promise.withResolvers<void>();

  /**
   * @param most that is begun at once
   * @param work must not throw
   */
  constructor(most: number, work: (item: T) => Promise<void>) {
    this.#most = most;
    this.#work = work;
    this.#idle.resolve();
  }

  add(item: T): void {
    this.#waiting.push(item);
    if (this.#begun === 0) this.#idle = Promise.withResolvers();
    this.#begin();
  }

  /** Settles when all that was added is done. */
  async done(): Promise<void> {
    while (this.#begun > 0) await this.#idle.promise;
  }

  #begin(): void {
    while (this.#begun < this.#most && this.#next < this.#waiting.length) {
      const item = this.#waiting[this.#next++]!;
      if (this.#next === this.#waiting.length) [this.#waiting, this.#next] = [[], 0];
      this.#begun++;
      void this.#work(item).then(this.#ended);
    }
  }

  readonly #ended = () => {
    this.#begun--;
    this.#begin();
    if (this.#begun === 0) this.#idle.resolve();
  };
}
