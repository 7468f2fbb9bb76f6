import { atPathSync } from "../../lib/file_failure.ts";
import type { FileItem } from "../../lib/layer/file_layer.ts";
import type { ImageFs } from "../../lib/layer/image_fs.ts";
import { readFiles } from "../../lib/layer/read_files.ts";
import { writeAllSync } from "../../lib/write_all.ts";
import type { TarEntry } from "../../lib/tar/types.ts";
import type { LayerRef } from "../contract/builder.ts";
import type { LayerWorker } from "./stage_output.ts";

/** Files and symbolic links of an image that go into a new layer: their paths there with those here. */
export interface SetAside {
  readonly worker: LayerWorker;
  readonly layers: readonly LayerRef[];
  readonly fs: ImageFs;
  readonly targets: ReadonlyMap<string, string>;
  readonly spool: Spool;
}

/** Puts the contents of chosen files of an image into the spool, under their new names; gives the items of the layer. */
export async function setAside({ worker, layers, fs, targets, spool }: SetAside): Promise<FileItem[]> {
  const wanted = new Map(Array.from(targets.keys(), (path) => [path, fs.lookup(path)!.layer]));
  const items: FileItem[] = [];
  await readFiles(worker.reader.files(layers), wanted, async (path, entry, chunks) => {
    const target = targets.get(path)!;
    if (entry.type === "file") await spool.add(target, entry.size, chunks);
    items.push(itemOf(entry, target));
  }, await worker.store.blobs.scratch());
  return items;
}

function itemOf({ type, mode, uid, gid, size, link, mtime, xattrs }: TarEntry, path: string): FileItem {
  const common = { path, mode, uid, gid, mtime, ...(xattrs && { xattrs }) };
  return type === "symlink" ? { ...common, type, size: 0, link: link! } : { ...common, type: "file", size };
}

/** Contents set aside in one file, because artifacts give them in another order than the layer wants them. */
export class Spool implements AsyncDisposable {
  readonly #parts = new Map<string, { readonly at: number; readonly size: number }>();
  size = 0;

  private constructor(readonly path: string, readonly file: Deno.FsFile) {}

  static async open(path: string): Promise<Spool> {
    return new Spool(path, await Deno.open(path, { read: true, write: true, createNew: true }));
  }

  async add(name: string, size: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    this.#parts.set(name, { at: this.size, size });
    await this.file.seek(this.size, Deno.SeekMode.Start);
    for await (const chunk of chunks) atPathSync(this.path, () => writeAllSync(this.file, chunk));
    this.size += size;
  }

  read(name: string): { size: number; chunks: Iterable<Uint8Array> } {
    const { at, size } = this.#parts.get(name)!;
    return { size, chunks: this.#chunks(at, size) };
  }

  *#chunks(at: number, size: number): Generator<Uint8Array> {
    this.file.seekSync(at, Deno.SeekMode.Start);
    const buffer = new Uint8Array(Math.min(size, 1 << 20));
    for (let left = size; left > 0;) {
      const count = this.file.readSync(buffer.subarray(0, Math.min(left, buffer.length)));
      if (count === null) throw new Error(`Cannot read "${this.path}" back: it ends early`);
      yield buffer.subarray(0, count);
      left -= count;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.file.close();
    await Deno.remove(this.path);
  }
}
