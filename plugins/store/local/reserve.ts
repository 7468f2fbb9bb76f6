import { ifPresent, isFull } from "../../../lib/file_failure.ts";

/** Files and bytes of each: what a cleanup writes before it may delete, many times over. */
const FILES = 8;
const BYTES = 32 << 10;

/**
 * Space and files that are kept for whoever must write in order to remove, such as the journal of a cleanup: on a disk
 * that is full they are given up. Made when there is room, and again after that.
 */
export class Reserve {
  readonly #path: string;
  constructor(readonly root: string) {
    this.#path = `${root}/reserve`;
  }

  /** Makes it unless it is there. A disk without room for it stays as it is. */
  async keep(): Promise<void> {
    if (await ifPresent(() => Deno.stat(this.#path))) return;
    const bytes = crypto.getRandomValues(new Uint8Array(BYTES)); // which no file system makes smaller
    try {
      await Deno.mkdir(this.#path, { mode: 0o700 });
      // A thread for each would hold up what is written first.
      for (let i = 0; i < FILES; i++) Deno.writeFileSync(`${this.#path}/${i}`, bytes, { mode: 0o600 });
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return; // another process makes it
      if (!isFull(error)) throw error;
      await this.#remove("reserve");
    }
  }

  /** Makes room: first by this, then by what can be found out again. False when there is nothing left to give up. */
  async giveUp(): Promise<boolean> {
    return await this.#remove("reserve") || await this.#remove("memo");
  }

  /** Whether there was anything. */
  async #remove(name: string): Promise<boolean> {
    return await ifPresent(() => Deno.remove(`${this.root}/${name}`, { recursive: true }).then(() => true)) ??
      false;
  }
}
