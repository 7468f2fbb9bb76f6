import type { Env } from "./programs.ts";
import { HelperProcess } from "./helper_process.ts";
import type { HelperKind } from "./namespaces.ts";

/** At most `size` helper processes, started when they are needed and kept until the end. */
export class HelperPool implements AsyncDisposable {
  readonly #idle: HelperProcess[] = [];
  readonly #all = new Set<HelperProcess>();
  readonly #waiting: ((helper: HelperProcess | undefined) => void)[] = [];

  constructor(
    readonly size: number,
    readonly kind: HelperKind,
    readonly env: Env,
    readonly flags: readonly string[],
  ) {}

  /** Starts helpers ahead of their use, until there are so many. Never throws. */
  warmUp(count = 1): void {
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

  async #acquire(): Promise<HelperProcess> {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle?.alive) return idle;
      if (idle) continue;
      if (this.#all.size < this.size) return this.#start();
      const handed = await new Promise<HelperProcess | undefined>((resolve) => this.#waiting.push(resolve));
      if (handed?.alive) return handed;
    }
  }

  #start(): HelperProcess {
    const helper = new HelperProcess(this.kind, this.env, this.flags);
    this.#all.add(helper);
    return helper;
  }

  #release(helper: HelperProcess): void {
    if (!helper.alive) this.#all.delete(helper);
    const next = this.#waiting.shift();
    if (next) next(helper.alive ? helper : undefined);
    else if (helper.alive) this.#idle.push(helper);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((helper) => helper[Symbol.asyncDispose]()));
  }
}
