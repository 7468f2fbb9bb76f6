import type { Env } from "../../../lib/programs.ts";
import { HelperProcess } from "./helper_process.ts";
import type { HelperKind } from "./namespaces.ts";

/** At most `size` helper processes, started when they are needed and kept until the end. */
export class HelperPool implements AsyncDisposable {
  readonly #idle: HelperProcess[] = [];
  readonly #all = new Set<HelperProcess>();
  #closed = false;
  readonly #waiting: PromiseWithResolvers<HelperProcess | undefined>[] = [];

  constructor(
    readonly size: number,
    readonly kind: HelperKind,
    readonly env: Env,
    readonly flags: readonly string[],
  ) {}

  /** Starts helpers ahead of their use, until there are so many. Never throws. */
  warmUp(count = 1): void {
    if (this.#closed) return;
    try {
      while (this.#all.size < Math.min(count, this.size)) this.#idle.push(this.#start());
    } catch {
      // the first real use says why
    }
  }

  /** Has `work` done by a helper of its own. @throws BUILDER_UNAVAILABLE, and what `work` throws */
  async use<T>(work: (helper: HelperProcess) => Promise<T>): Promise<T> {
    const helper = await this.#acquire();
    try {
      await helper.ready;
      return await work(helper);
    } finally {
      this.#release(helper);
    }
  }

  /** Has little `work` done while a helper waits for commands; by one of its own when none does, or one is idle. */
  async useBeside<T>(work: (helper: HelperProcess) => Promise<T>): Promise<T> {
    const waiting = this.#idle.length === 0 && this.#all.values().find(({ alive, runs }) => alive && runs);
    return waiting ? await work(waiting) : await this.use(work);
  }

  /** Ends all helpers at once, whatever they do; what waits for one fails. Later work gets new ones. */
  async interrupt(): Promise<void> {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error("The builder is interrupted"));
    await Promise.all([...this.#all].map((helper) => helper.kill()));
  }

  async #acquire(): Promise<HelperProcess> {
    for (;;) {
      if (this.#closed) throw new Error("The builder is closed");
      if (this.#idle.length === 0 && this.#all.size < this.size) return this.#start();
      const helper = this.#idle.pop() ?? await this.#wait();
      if (helper?.alive) return helper;
      if (helper) this.#all.delete(helper); // it ended while nobody used it
    }
  }

  /** The next helper that is free, or undefined when one has ended. */
  #wait(): Promise<HelperProcess | undefined> {
    const turn = Promise.withResolvers<HelperProcess | undefined>();
    this.#waiting.push(turn);
    return turn.promise;
  }

  #start(): HelperProcess {
    const helper = new HelperProcess(this.kind, this.env, this.flags);
    this.#all.add(helper);
    return helper;
  }

  #release(helper: HelperProcess): void {
    if (!helper.alive) this.#all.delete(helper);
    const next = this.#waiting.shift();
    if (next) next.resolve(helper.alive ? helper : undefined);
    else if (helper.alive) this.#idle.push(helper);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((helper) => helper[Symbol.asyncDispose]()));
    for (const { resolve } of this.#waiting.splice(0)) resolve(undefined);
  }
}
