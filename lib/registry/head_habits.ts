import type { HostMemory } from "./host_memory.ts";

/** What of two answers to the same question shows whether one server gave both. */
interface Told {
  header(name: string): string | undefined;
}

/**
 * How far a registry's answers to HEAD can be relied upon. Gateways before registries refuse HEAD, or say 404 to it,
 * where GET works. So a miss is believed only of a host that has shown that HEAD and GET tell the same, be it in an
 * earlier run.
 */
export class HeadHabits {
  readonly #memory: HostMemory;
  /** HEAD failed where GET worked; nobody asks that way again. */
  useless = false;
  /** HEAD has found something in this run. That is remembered when a miss needs it: who only finds writes nothing. */
  #found = false;
  #comparing: Promise<void> | undefined;

  constructor(memory: HostMemory) {
    this.#memory = memory;
  }

  /** HEAD has found something. */
  found(): void {
    this.#found = true;
  }

  /** HEAD did not find, or did not answer, what GET has found. */
  async misled(): Promise<void> {
    this.useless = true;
    await this.#memory.note({ heads: undefined });
  }

  /**
   * Whether a miss is true. Unless that is known of the host, GET is asked as well, once for all that wait.
   *
   * @param ask gives GET's miss; undefined when GET has found something
   */
  async believes(miss: Told, ask: () => Promise<Told | undefined>): Promise<boolean> {
    for (;;) {
      if (this.useless) return false;
      if (this.#found || (await this.#memory.facts()).heads) {
        await this.#memory.note({ heads: true });
        return true;
      }
      if (!this.#comparing) break;
      await this.#comparing;
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#comparing = promise;
    try {
      const same = await ask();
      if (!same) return false;
      if (isSameServer(miss, same)) await this.#memory.note({ heads: true });
      return true;
    } finally {
      this.#comparing = undefined;
      resolve();
    }
  }
}

/** Whether HEAD was answered by who answered GET: the same kind of document, and of the same length where both tell. */
function isSameServer(head: Told, get: Told): boolean {
  const [type, length] = ["content-type", "content-length"];
  const lengths = [head.header(length), get.header(length)];
  return head.header(type) === get.header(type) &&
    (lengths.includes(undefined) || lengths[0] === lengths[1]);
}
