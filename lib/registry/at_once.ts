/** Requests at once to begin with. */
const FIRST = 16;
/** More are never sent at once. */
const MOST = 64;
/** Fewer would be slower than any limit that registries are known to have. */
const LEAST = 4;
/** Twice as many at once stay where they get so many times as much done. */
const GAIN = 9 / 8;
/** Answers until it is tried again, where they did not. */
const REST = 1000;
/** Answers after which one more is sent at once, where the server had refused some. */
const ONE_MORE = 100;

/** How a request ended. */
export interface Ended {
  /** Undefined when no answer came. */
  readonly status: number | undefined;
  /** From sending to the head of the answer. */
  readonly ms: number;
}

/**
 * How many small requests a registry should get at once, found out by its own answers. A server that is far away, and not
 * busy, answers twice as many in the same time; one that is busy answers each of them later. So the number doubles, and
 * stays where more gets done, which is what runs at once divided by how long one takes. It is measured all the time, so a
 * server that becomes slow gets fewer again. One that refuses some (429, 503) gets half as many, one more for each hundred
 * that it answers, and never more again than at the beginning.
 *
 * It lets nobody wait: {@linkcode AtOnce.size} is for whoever has many requests.
 */
export class AtOnce {
  #size = FIRST;
  #running = 0;
  #refused = false;
  /** Changes of the size so far: what was sent before one says nothing of what came after it. */
  #changes = 0;
  /** Of requests that were answered since then: how many, what ran when they were sent, how long they took. */
  #answers = 0;
  #beside = 0;
  #ms = 0;
  /** Answers that are waited for before more are tried: the first ones open connections. */
  #rest = 2 * FIRST;
  /** Answers in a millisecond with fewer at once: with 16, with 32. */
  readonly #rates: number[] = [];

  /** At least 4, at most 64; 16 as long as nothing is known. */
  get size(): number {
    return this.#size;
  }

  /**
   * A request is sent. Whoever says that calls what it gets when the request has ended, without an argument when that says
   * nothing of the server.
   *
   * @param alike takes as long as others: only these are compared
   */
  begin(alike: boolean): (ended?: Ended) => void {
    const beside = ++this.#running;
    const changes = this.#changes;
    return (ended) => {
      this.#running--;
      if (!ended || changes !== this.#changes) return;
      const { status, ms } = ended;
      if (status === 429 || status === 503) this.#refuse();
      else if (this.#refused) this.#recover();
      else if (status === undefined || status === 502 || status === 504) this.#goBack();
      else if (alike && beside > this.#size / 2) this.#compare(beside, ms);
    };
  }

  #refuse(): void {
    this.#refused = true;
    this.#change(Math.max(LEAST, Math.floor(this.#size / 2)));
  }

  #recover(): void {
    if (this.#size < FIRST && ++this.#answers === ONE_MORE) this.#change(this.#size + 1);
  }

  #goBack(): void {
    this.#rest = REST;
    if (this.#rates.pop() !== undefined) this.#change(this.#size / 2);
  }

  #compare(beside: number, ms: number): void {
    this.#rest--;
    this.#answers++;
    this.#beside += beside;
    this.#ms += ms;
    if (this.#answers < 2 * this.#size) return;
    const rate = this.#beside / this.#ms;
    const before = this.#rates.at(-1);
    if (before !== undefined && rate < GAIN * before) this.#goBack();
    else if (this.#size < MOST && this.#rest < 0) {
      this.#rates.push(rate);
      this.#change(this.#size * 2);
    } else this.#change(this.#size);
  }

  #change(size: number): void {
    if (size !== this.#size) this.#changes++;
    this.#size = size;
    this.#answers = this.#beside = this.#ms = 0;
  }
}
