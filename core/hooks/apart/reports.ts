import { observed } from "../../../lib/pool.ts";

/** A function that is told how far something is: while one call of it is on its way, only the last one after it counts. */
export class Report {
  /** @param names how many of its arguments say what it is about: the last one counts of each */
  constructor(readonly tell: (...args: never[]) => void, readonly names = 0) {}
}

/** Such calls on their way to the other side. */
export class Reports {
  readonly #waiting = new Map<string, readonly unknown[]>();
  #sending: Promise<void> | undefined;

  constructor(readonly send: (args: readonly unknown[]) => Promise<unknown>, readonly names: number) {}

  tell(args: readonly unknown[]): void {
    this.#waiting.set(args.slice(0, this.names).map(String).join("\n"), args);
    this.#sending ??= observed(this.#send());
  }

  /** Settles when all was told. @throws what a call has failed with; nothing is told after that */
  async end(): Promise<void> {
    await this.#sending;
  }

  async #send(): Promise<void> {
    while (this.#waiting.size > 0) {
      const calls = [...this.#waiting.values()];
      this.#waiting.clear();
      await Promise.all(calls.map((args) => this.send(args)));
    }
    this.#sending = undefined;
  }
}
