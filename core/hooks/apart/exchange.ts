/**
 * Files that go between dapp and a plugin that runs apart: a directory of its own, in which it may read what it is lent
 * and write what it hands over. Bytes go through the disk as they are; nobody holds a blob in memory.
 */
import { ifPresent } from "../../../lib/file_failure.ts";
import { memoize, Shared } from "../../../lib/memoize.ts";
import { type Digest, digestHex } from "../../../lib/oci/digest.ts";
import { readChunks, writeHashed } from "../../../lib/oci/write_blob.ts";
import { newScratchName, openScratch, type Scratch } from "../../../lib/scratch.ts";
import { isBelow } from "./permissions.ts";

/** A blob that is expected. */
export interface WantedBlob {
  readonly digest: Digest;
  /** Absent: nobody knows yet. */
  readonly size?: number;
}

/** Where such directories are. */
export interface ExchangePlace {
  /** What owners that are gone left there goes when the next one is made. */
  readonly root: string;
  /** There is no other one, so it goes as well. */
  readonly isOwn: boolean;
}

/** A directory that one plugin shares with dapp. It is made when the first file goes through it. */
export class Exchange implements AsyncDisposable {
  /**
   * Where the plugin finds what it is lent: copies. Whoever has a file of the store open can change its mode and its times
   * (`fchmod` of `node:fs` is not held), and links are refused by `FsFile.stat`.
   */
  readonly lent: string;
  /** Where it writes. */
  readonly handed: string;
  readonly #place: ExchangePlace;
  readonly #name = newScratchName();
  readonly #scratch = new Shared(() => this.#make());
  readonly #blobs = new Map<Digest, Promise<void>>();
  #last = 0;

  constructor(place: ExchangePlace) {
    this.#place = place;
    this.lent = `${place.root}/${this.#name}/lent`;
    this.handed = `${place.root}/${this.#name}/handed`;
  }

  /** Lets the plugin read a file while it is held; the path is the plugin's. */
  async lend(file: string): Promise<Disposable & { readonly path: string }> {
    await this.#scratch.get();
    const path = `${this.lent}/${++this.#last}`;
    await Deno.copyFile(file, path);
    return { path, [Symbol.dispose]: () => Deno.removeSync(path) };
  }

  /** Lets the plugin read a blob for as long as it runs. */
  async lendBlob(file: string, digest: Digest): Promise<void> {
    const path = `${this.lent}/${digestHex(digest)}`;
    await memoize(this.#blobs, digest, () => this.#scratch.get().then(() => Deno.copyFile(file, path)));
  }

  /** A path for the plugin to write a new file at. */
  async place(): Promise<string> {
    await this.#scratch.get();
    return `${this.handed}/${++this.#last}`;
  }

  /** The directory that the plugin may write in. */
  async directory(): Promise<string> {
    await this.#scratch.get();
    return this.handed;
  }

  /**
   * Copies what the plugin wrote into a new file, if it is what it should be. It may still have the file open, so what was
   * looked at must be another one.
   *
   * @throws {Unwanted}
   */
  async take(path: string, file: string, { digest, size }: WantedBlob, signal: AbortSignal): Promise<number> {
    const wanted = `blob ${digest}`;
    const found = await this.#fileAt(path);
    if (!found) throw new Unwanted(`${wanted} is not where it was to be written`);
    const limit = size ?? found.size;
    if (found.size !== limit) throw new Unwanted(`${wanted} has ${found.size} bytes, wanted are ${limit}`);
    try {
      const made = await writeHashed(upTo(path, limit), file, { signal });
      if (made.digest !== digest) {
        throw new Unwanted(`the digest of what should be ${wanted} is ${made.digest}`);
      }
      await Deno.remove(path);
      return made.size;
    } catch (error) {
      await ifPresent(() => Deno.remove(file));
      throw error;
    }
  }

  /** Bytes of a file that is being written; 0 where there is none. */
  async written(path: string): Promise<number> {
    return (await this.#fileAt(path))?.size ?? 0;
  }

  /** A file of the directory that the plugin may write in, no link and nothing else. */
  async #fileAt(path: string): Promise<Deno.FileInfo | undefined> {
    if (path.includes("/../") || !isBelow(path, this.handed)) return undefined;
    const found = await ifPresent(() => Deno.lstat(path));
    return found?.isFile ? found : undefined;
  }

  async #make(): Promise<Scratch> {
    await using made = new AsyncDisposableStack();
    const scratch = made.use(await openScratch(this.#place.root, this.#name));
    await Promise.all([this.lent, this.handed].map((dir) => Deno.mkdir(dir)));
    made.move();
    return scratch;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#scratch.take())?.[Symbol.asyncDispose]();
    const { root, isOwn } = this.#place;
    if (isOwn) await ifPresent(() => Deno.remove(root, { recursive: true }));
  }
}

/** What a plugin brought is not what was asked for; the message is the end of a sentence. */
export class Unwanted extends Error {
  override readonly name = "Unwanted";
}

/** The content of a file that may grow while it is read. */
async function* upTo(path: string, limit: number): AsyncGenerator<Uint8Array> {
  let left = limit;
  for await (const chunk of readChunks(path)) {
    if (chunk.length > left) throw new Unwanted("it is written to while it is read");
    left -= chunk.length;
    yield chunk;
  }
}
