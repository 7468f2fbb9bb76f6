import type { HostMemory } from "./host_memory.ts";

/**
 * Whether a host gives the last byte of a blob by itself. Some send all of a blob whatever is asked for, some lead to
 * storage elsewhere, which costs another connection, and some do not let those read who store.
 */
export class EndHabits {
  readonly #memory: HostMemory;

  constructor(memory: HostMemory) {
    this.#memory = memory;
  }

  /** Nobody asks that way again. */
  async useless(): Promise<boolean> {
    return (await this.#memory.facts()).ends === false;
  }

  /** It did not, be it in an earlier run. */
  async mislead(): Promise<void> {
    await this.#memory.note({ ends: false });
  }
}
