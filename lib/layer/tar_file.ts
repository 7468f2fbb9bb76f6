import { encodeTarHeader, TAR_TRAILER, tarPadding } from "../tar/encode.ts";
import { atPathSync } from "../file_failure.ts";
import { LayerIndexer } from "./index.ts";
import { writeAllSync } from "../write_all.ts";
import type { TarEntry } from "../tar/types.ts";
import { isZero } from "./zeros.ts";
import { type Digest, digestFromHex } from "../oci/digest.ts";
import { createSha256 } from "../sha256.ts";

const BLOCK = 1 << 20;

/** Blocks in memory at most that wait for the only reader. */
const HANDED = 8;

/** Writes a tar to a file, hashing it on the way. Blocks of zeros become holes, so sparse files stay small. */
export class TarFile {
  readonly #file: Deno.FsFile;
  readonly #hash = createSha256();
  #buffer = new Uint8Array(BLOCK);
  /** What the only reader takes from memory, by place; undefined when there may be others. */
  #handed: Map<number, Uint8Array<ArrayBuffer>> | undefined;
  /** Buffers that were read. */
  readonly #spare: Uint8Array<ArrayBuffer>[] = [];
  #have = 0;
  #size = 0;
  #state: "open" | "finished" | "closed" = "open";
  #changed = Promise.withResolvers<void>();
  /** What is in it. */
  readonly index = new LayerIndexer();

  constructor(readonly path: string) {
    this.#file = Deno.openSync(path, { write: true, create: true, truncate: true, mode: 0o600 });
  }

  /** An entry without content. */
  add(entry: TarEntry): void {
    this.index.add(entry);
    this.#write(encodeTarHeader(entry));
  }

  /** A file entry with the content of `source`, which nobody changes meanwhile. */
  addFile(entry: TarEntry, source: string): void {
    this.add(entry);
    using input = Deno.openSync(source);
    for (let left = entry.size; left > 0;) {
      if (this.#have === BLOCK) this.#flush();
      const room = this.#buffer.subarray(this.#have, Math.min(BLOCK, this.#have + left));
      const count = input.readSync(room);
      if (count === null) throw new Error(`Cannot read "${source}": it became shorter while it was read`);
      this.#have += count;
      left -= count;
    }
    this.pad(entry.size);
  }

  /** Part of the content of the file entry that was added last. */
  content(chunk: Uint8Array): void {
    this.#write(chunk);
  }

  /** What follows the content of a file entry. */
  pad(size: number): void {
    this.#write(tarPadding(size));
  }

  /** Bytes that are in the file already. */
  get size(): number {
    return this.#size;
  }

  /** Ends the tar and gives its digest. */
  finish(): Digest {
    this.#write(TAR_TRAILER);
    this.#flush();
    this.#become("finished");
    return digestFromHex(this.#hash.hex());
  }

  close(): void {
    this.#file.close();
    if (this.#state === "open") this.#become("closed");
  }

  /**
   * The tar in blocks, as it comes to be in the file; a block is valid until the next is asked for.
   *
   * @throws when the tar is closed before it is finished
   */
  async *blocks(): AsyncGenerator<Uint8Array> {
    using file = Deno.openSync(this.path);
    const buffer = new Uint8Array(BLOCK);
    for (let at = 0; at < this.#size || this.#state !== "finished";) {
      if (this.#state === "closed") throw new Error(`"${this.path}" was given up`);
      if (at === this.#size) {
        await this.#changed.promise;
        continue;
      }
      const handed = this.#handed?.get(at);
      const block = handed ?? atPathSync(this.path, () => readBlock(file, at, buffer));
      at += block.length;
      yield block;
      if (handed) this.#takeBack(handed, at - block.length);
    }
  }

  /**
   * The same for the only reader there will be, who comes before anything is written: what he reads soon does not go
   * through the file, since new pages of its cache may cost more than all else that is done with a block.
   */
  onlyBlocks(): AsyncGenerator<Uint8Array> {
    this.#handed = new Map();
    return this.blocks();
  }

  #takeBack(block: Uint8Array<ArrayBuffer>, at: number): void {
    this.#handed?.delete(at);
    this.#spare.push(new Uint8Array(block.buffer));
  }

  #become(state: "finished" | "closed"): void {
    this.#state = state;
    this.#changed.resolve();
  }

  #write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      if (this.#have === BLOCK) this.#flush();
      const part = bytes.subarray(at, at + BLOCK - this.#have);
      this.#buffer.set(part, this.#have);
      this.#have += part.length;
      at += part.length;
    }
  }

  #flush(): void {
    const block = this.#buffer.subarray(0, this.#have);
    this.#hash.update(block);
    const at = this.#size;
    this.#size += block.length;
    if (this.#handed && this.#handed.size < HANDED) {
      this.#handed.set(at, block);
      this.#buffer = this.#spare.pop() ?? new Uint8Array(BLOCK);
    } else {
      atPathSync(this.path, () => {
        if (isZero(block)) return this.#file.truncateSync(this.#size);
        this.#file.seekSync(at, Deno.SeekMode.Start);
        writeAllSync(this.#file, block);
      });
    }
    this.#have = 0;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** The block at a place that was written, or its beginning. */
function readBlock(file: Deno.FsFile, at: number, buffer: Uint8Array): Uint8Array {
  file.seekSync(at, Deno.SeekMode.Start);
  return buffer.subarray(0, file.readSync(buffer.subarray(0, BLOCK - at % BLOCK)) ?? 0);
}
