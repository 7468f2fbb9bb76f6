import { withLock } from "../file_lock.ts";
import { renameDurably } from "../durable.ts";
import { removeUnfinished, replaceAlone, replaceFile, unfinishedOf } from "../replace_file.ts";
import { atPath, isFull } from "../file_failure.ts";
import { parseManifest } from "./documents.ts";
import { OciError } from "./errors.ts";
import { blobFile, layoutDirectory } from "./layout.ts";
import { type Descriptor, type ImageIndex, mediaTypes } from "./types.ts";
import { readBlobFile, requireBlob } from "./write_blob.ts";
import { Shared } from "../memoize.ts";
import { writeAllSync } from "../write_all.ts";
import { type Digest, digestOf, isDigest } from "./digest.ts";

/** The content of the file `oci-layout`. */
export const LAYOUT = '{"imageLayoutVersion":"1.0.0"}';
const FILES: readonly string[] = ["oci-layout", "index.json"];
/** The index before the last one, whose space the next one can have when there is no other. */
const RESERVE = ".dapp-reserve";
/** Longest index that is read, in bytes: some 200,000 tags. */
const MAX_INDEX = 64 << 20;

/**
 * Writes an OCI image layout directory (image-spec image-layout.md). Blobs are complete under their name or not there at
 * all; `index.json` is replaced as a whole, keeping what others put there. Writers of this kind keep each other out of
 * `index.json` by a lock on the file `.dapp-lock`. Everything is on the disk when a method returns.
 */
export class LayoutDirectory {
  readonly #prepared = new Shared(() => this.#prepare());

  constructor(readonly dir: string) {}

  /** Makes the directory when it is absent or empty. @throws {OciError} when something else is there */
  prepare(): Promise<void> {
    return this.#prepared.get();
  }

  async #prepare(): Promise<void> {
    const { dir } = this;
    const fail = (why: string) => new OciError("invalid", `Cannot write an OCI layout to "${dir}": ${why}`);
    try {
      const names = new Set<string>();
      for await (const { name } of Deno.readDir(dir)) {
        if (!name.startsWith(".dapp-") && !isUnfinished(name)) names.add(name);
      }
      // A first write that was interrupted, or goes on beside this one, leaves blobs only.
      if (names.size > (names.has("blobs") ? 1 : 0) && !await exists(`${dir}/oci-layout`)) {
        throw fail("it is a directory with something else in it, wanted is an OCI layout or nothing");
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotADirectory) throw fail("a file is there, wanted is a directory");
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    const blobs = `${dir}/blobs/sha256`;
    await Deno.mkdir(blobs, { recursive: true });
    await removeUnfinished(blobs, (name) => isDigest(`sha256:${name}`));
  }

  /** Size of a blob, undefined when it is absent. */
  async blobSize(digest: Digest): Promise<number | undefined> {
    try {
      return (await Deno.stat(this.blobPath(digest))).size;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
        return undefined;
      }
      throw error;
    }
  }

  blobPath(digest: Digest): string {
    return `${this.dir}/${blobFile(digest)}`;
  }

  /** Whether a blob is there as a whole, by reading it. */
  async hasBlob(blob: Pick<Descriptor, "digest" | "size">, signal: AbortSignal): Promise<boolean> {
    if (await this.blobSize(blob.digest) !== blob.size) return false;
    try {
      for await (const _ of readBlobFile(this.blobPath(blob.digest), blob)) signal.throwIfAborted();
      return true;
    } catch (error) {
      if (error instanceof OciError) return false;
      throw error;
    }
  }

  /**
   * Stores a blob: bytes, or a copy of a file, verified while it is made. It is never a second name for that file: what
   * somebody does to a layout must not happen to where its blobs come from.
   *
   * @throws {OciError} when the file or the bytes are something else; nothing is stored then
   */
  async putBlob(
    blob: Pick<Descriptor, "digest" | "size">,
    content: Uint8Array | { readonly file: string },
    signal: AbortSignal,
  ): Promise<void> {
    await this.prepare();
    await replaceFile(this.blobPath(blob.digest), async (temp) => {
      if (content instanceof Uint8Array) {
        requireBlob(
          { size: content.length, digest: await digestOf(content) },
          blob,
          `blob ${blob.digest} from memory`,
        );
        await Deno.writeFile(temp, content);
      } else await copyBlob(content.file, blob, temp, signal);
    });
  }

  /** The index, empty when there is none yet. @throws {OciError} when it cannot be read */
  async index(): Promise<ImageIndex> {
    const bytes = await layoutDirectory(this.dir).read("index.json", MAX_INDEX);
    if (!bytes) return { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] };
    const title = `"${this.dir}/index.json"`;
    const document = parseManifest(bytes, title, mediaTypes.index);
    if (document.kind === "index") return document.index;
    throw new OciError("invalid", `Cannot read ${title}: it is not an image index`);
  }

  /** Runs `action` while no other writer changes the index. */
  async locked<T>(signal: AbortSignal, action: () => Promise<T>): Promise<T> {
    await this.prepare();
    return await withLock({ dir: this.dir, name: ".dapp-lock", signal }, async () => {
      for await (const { name } of Deno.readDir(this.dir)) {
        if (isUnfinished(name)) await Deno.remove(`${this.dir}/${name}`).catch(() => {});
      }
      return await action();
    });
  }

  /** Replaces the index; call it inside of {@linkcode locked}. An index that becomes shorter needs no space. */
  async writeIndex(index: ImageIndex): Promise<void> {
    const { dir } = this;
    if (await readText(`${dir}/oci-layout`) !== LAYOUT) {
      await replaceAlone(`${dir}/oci-layout`, (temp) => Deno.writeTextFile(temp, LAYOUT));
    }
    const path = `${dir}/index.json`;
    const bytes = new TextEncoder().encode(JSON.stringify(index));
    try {
      await replaceAlone(path, async (temp) => {
        await Deno.writeFile(temp, bytes);
        await keepOld(path, `${dir}/${RESERVE}`);
      });
    } catch (error) {
      if (!isFull(error)) throw error;
      if (!await overwrite(path, bytes, `${dir}/${RESERVE}`)) throw error;
    }
  }
}

/** Whether a write of one of the two files goes on or was interrupted: they are written under the lock alone. */
function isUnfinished(name: string): boolean {
  return name === `${RESERVE}.old` || FILES.includes(unfinishedOf(name) ?? "");
}

/** Gives the file that is about to be replaced a second name, under which its space is kept. */
async function keepOld(path: string, reserve: string): Promise<void> {
  await Deno.remove(reserve).catch(() => {});
  await Deno.link(path, reserve).catch(() => {}); // the first of all, or a file system without links
}

/**
 * Puts content into the place of a file without taking space: into the file before it, which then takes its name; else
 * into the file itself, if it fits, filled up with blanks. False when it does not fit.
 */
async function overwrite(path: string, bytes: Uint8Array, reserve: string): Promise<boolean> {
  const [now, before] = await Promise.all(
    [path, reserve].map((each) => Deno.stat(each).catch(() => undefined)),
  );
  if (before?.isFile && before.ino !== now?.ino && before.size >= bytes.length) {
    await write(reserve, bytes);
    await renameDurably(reserve, path);
    return true;
  }
  if (!now?.isFile || now.size < bytes.length) return false;
  const padded = new Uint8Array(now.size).fill(0x20);
  padded.set(bytes);
  await write(path, padded);
  return true;
}

/** Writes from the start of a file that is there, cutting off the rest. */
async function write(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await atPath(path, async () => {
    writeAllSync(file, bytes);
    await file.truncate(bytes.length);
    await file.sync();
  });
}

async function readText(path: string): Promise<string | undefined> {
  return await Deno.readTextFile(path).catch(() => undefined);
}

async function copyBlob(
  from: string,
  blob: Pick<Descriptor, "digest" | "size">,
  to: string,
  signal: AbortSignal,
): Promise<void> {
  using file = await Deno.open(to, { write: true, createNew: true });
  for await (const chunk of readBlobFile(from, blob)) {
    signal.throwIfAborted();
    writeAllSync(file, chunk);
  }
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
