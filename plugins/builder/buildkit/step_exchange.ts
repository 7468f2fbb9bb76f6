import { createHash } from "node:crypto";
import type { BlobExchange, BlobSink } from "../../../lib/buildkit/content.ts";
import type { ShelfBlob, ShelfImage } from "./layer_shelf.ts";

const CHUNK = 1 << 20;

/** What a daemon reads, and the blobs it hands over. */
export class StepExchange implements BlobExchange {
  readonly #received = new Map<string, { readonly file: string; readonly size: number }>();

  /** `directory` takes what is received. */
  constructor(readonly image: Pick<ShelfImage, "blobs">, readonly directory: string) {}

  size(digest: string): Promise<number | undefined> {
    const blob = this.#blob(digest);
    return Promise.resolve(blob instanceof Uint8Array ? blob.length : blob?.size);
  }

  async *read(digest: string, offset: number, length: number): AsyncGenerator<Uint8Array> {
    const blob = this.#blob(digest);
    if (!blob) throw new Error(`${digest} is not here`);
    const end = length > 0 ? offset + length : Infinity;
    if (blob instanceof Uint8Array) return yield blob.subarray(offset, Math.min(end, blob.length));
    using file = await Deno.open(blob.file);
    await file.seek(offset, Deno.SeekMode.Start);
    for (let at = offset; at < end;) {
      const chunk = new Uint8Array(Math.min(CHUNK, end - at));
      const count = await file.read(chunk);
      if (count === null) return;
      at += count;
      yield chunk.subarray(0, count);
    }
  }

  async receive(digest: string): Promise<BlobSink> {
    const path = `${this.directory}/received-${crypto.randomUUID()}`;
    const file = await Deno.open(path, { write: true, createNew: true });
    const hash = createHash("sha256");
    let size = 0;
    let open = true;
    return {
      async write(chunk) {
        hash.update(chunk);
        size += chunk.length;
        for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
      },
      commit: async () => {
        const found = `sha256:${hash.digest("hex")}`;
        if (found !== digest) throw new Error(`${digest} came with the content of ${found}`);
        file.close();
        open = false;
        if (this.#received.has(digest)) await Deno.remove(path); // it came twice at once
        else this.#received.set(digest, { file: path, size });
      },
      async abort() {
        if (!open) return;
        open = false;
        file.close();
        await Deno.remove(path);
      },
    };
  }

  /** The file of a blob that came. */
  file(digest: string): string {
    const found = this.#received.get(digest);
    if (!found) throw new Error(`The daemon did not hand over ${digest}`);
    return found.file;
  }

  /** A JSON document that came. */
  async document(digest: string): Promise<unknown> {
    return JSON.parse(await Deno.readTextFile(this.file(digest)));
  }

  /** Removes what came. */
  async clear(): Promise<void> {
    const files = Array.from(this.#received.values(), ({ file }) => file);
    this.#received.clear();
    await Promise.all(files.map((file) => Deno.remove(file)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clear();
  }

  #blob(digest: string): ShelfBlob | undefined {
    return this.image.blobs.get(digest) ?? this.#received.get(digest);
  }
}
