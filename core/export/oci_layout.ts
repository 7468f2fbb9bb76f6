import { blobFile, REF_NAME } from "../../lib/oci/layout.ts";
import { parseManifest } from "../../lib/oci/documents.ts";
import { type Descriptor, type ImageIndex, mediaTypes } from "../../lib/oci/types.ts";
import type { Digest } from "../digest.ts";
import { EngineError } from "../errors.ts";
import { blobsOf, type PackedImage, type Packer } from "./packer.ts";
import { withLock } from "./lock.ts";

/**
 * Adds images to an OCI image layout directory (image-spec image-layout.md), making it when it is absent or empty.
 * Blobs come first, each complete under its name or not there at all; then `index.json` is replaced, keeping all other
 * entries. Other writers of this kind are kept out meanwhile by a lock on the file `.dapp-lock` in it.
 *
 * @throws {EngineError} EXPORT_FAILED when something else is there
 */
export const writeLayout: Packer = async (images, dir, { store, signal, progress }) => {
  await prepare(dir);
  await withLock(`${dir}/.dapp-lock`, signal, async () => {
    const blobs = blobsOf(images);
    const total = blobs.reduce((sum, { size }) => sum + size, 0);
    let done = 0;
    for (const { digest, size, bytes } of blobs) {
      signal.throwIfAborted();
      const target = `${dir}/${blobFile(digest)}`;
      if (await sizeOf(target) !== size) {
        await replaceFile(target, async (temp) => {
          if (bytes) await Deno.writeFile(temp, bytes);
          else await linkOrCopy(store.blobPath(digest as Digest), temp);
        });
      }
      progress(done += size, total);
    }
    const index = addEntries(await readIndex(dir), images);
    await replaceFile(`${dir}/oci-layout`, (temp) => Deno.writeTextFile(temp, LAYOUT));
    await replaceFile(`${dir}/index.json`, (temp) => Deno.writeTextFile(temp, JSON.stringify(index)));
  });
};

/** The content of the file `oci-layout`. */
export const LAYOUT = '{"imageLayoutVersion":"1.0.0"}';

/** The index entry of an image. */
export function entryOf({ manifest, state, reference }: PackedImage): Descriptor {
  const { mediaType, digest, size } = manifest;
  const { os, architecture, variant } = state.config;
  const platform = { architecture, os, ...(variant && { variant }) };
  return { mediaType, digest, size, annotations: { [REF_NAME]: reference }, platform };
}

/** An entry takes the place of those that had its tag. */
function addEntries(index: ImageIndex, images: readonly PackedImage[]): ImageIndex {
  const added = new Map(images.map((image) => [image.reference, entryOf(image)]));
  const kept = index.manifests.filter(({ annotations }) => !added.has(annotations?.[REF_NAME] ?? ""));
  return { ...index, manifests: [...kept, ...added.values()] };
}

async function prepare(dir: string): Promise<void> {
  const fail = (why: string) => new EngineError("EXPORT_FAILED", `Cannot export to "${dir}": ${why}`);
  try {
    const names = new Set<string>();
    for await (const { name } of Deno.readDir(dir)) names.add(name);
    names.delete(".dapp-lock");
    if (names.size === 0 || names.has("oci-layout")) return;
    // A first export that was interrupted leaves blobs only.
    if (names.size > 1 || !names.has("blobs")) {
      throw fail("it is a directory with something else in it, wanted is an OCI layout or nothing");
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotADirectory) throw fail("a file is there, wanted is a directory");
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  await Deno.mkdir(`${dir}/blobs/sha256`, { recursive: true });
}

async function readIndex(dir: string): Promise<ImageIndex> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(`${dir}/index.json`);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] };
  }
  const document = parseManifest(bytes, `"${dir}/index.json"`, mediaTypes.index);
  if (document.kind === "index") return document.index;
  throw new EngineError("EXPORT_FAILED", `Cannot export to "${dir}": its index.json is not an image index`);
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await Deno.stat(path)).size;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Makes a file under a temporary name beside `path`, then moves it there. */
export async function replaceFile(path: string, write: (temp: string) => Promise<void>): Promise<void> {
  const temp = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  const dir = path.slice(0, path.lastIndexOf("/"));
  await Deno.mkdir(dir, { recursive: true });
  try {
    await write(temp);
    await Deno.rename(temp, path);
  } catch (error) {
    await Deno.remove(temp).catch(() => {});
    throw error;
  }
}

/** Blobs never change in place, so a second name for the same file is as good as a copy. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  try {
    await Deno.link(from, to);
  } catch {
    await Deno.copyFile(from, to); // another file system, or one without hard links
  }
}
