import { EngineError } from "../../../core/contract/plugin.ts";
import { rename, renameDurably } from "../../../lib/durable.ts";
import type { Scratch } from "../../../lib/scratch.ts";
import { Shared } from "../../../lib/memoize.ts";

/** The scratch directory of this process, made on first use, and files that begin in it. */
export class ScratchFiles implements AsyncDisposable {
  readonly #scratch = new Shared(() => this.#open());
  #serial = 0;
  readonly #writing = new Set<Promise<void>>();
  #closed = false;
  /** The directory, if it was made. */
  opened: string | undefined;

  /**
   * @param root directory of the scratch directories of all processes
   * @param onWriting called when there is one, so that something will be written
   */
  constructor(readonly root: string, readonly onWriting: () => Promise<void>) {}

  async directory(): Promise<string> {
    if (this.#closed) {
      throw new EngineError("STORE_FAILED", `Cannot write below "${this.root}": the store was closed`);
    }
    return this.opened = (await this.#scratch.get()).path;
  }

  async #open(): Promise<Scratch> {
    const { openScratch } = await import("../../../lib/scratch.ts");
    const scratch = await openScratch(this.root);
    await this.onWriting();
    return scratch;
  }

  /** Puts a whole file in its place, or none. Durable: it is on the disk when this returns. */
  async write(
    path: string,
    content: string | Uint8Array,
    options: { readonly durable: boolean },
  ): Promise<void> {
    const writing = this.#write(path, content, options);
    this.#writing.add(writing);
    try {
      await writing;
    } finally {
      this.#writing.delete(writing);
    }
  }

  async #write(
    path: string,
    content: string | Uint8Array,
    { durable }: { readonly durable: boolean },
  ): Promise<void> {
    const temp = `${await this.directory()}/s${this.#serial++}`;
    try {
      // A page-cache write is quicker than handing it to a thread, for which Deno loads its streams first.
      if (typeof content === "string") Deno.writeTextFileSync(temp, content);
      else Deno.writeFileSync(temp, content);
      await (durable ? renameDurably : rename)(temp, path);
    } catch (error) {
      await Deno.remove(temp).catch(() => {}); // its space is needed
      throw error;
    }
  }

  /** What is being written is written; nothing is after that. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#writing);
    await (await this.#scratch.take())?.[Symbol.asyncDispose]();
  }
}
