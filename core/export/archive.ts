import { DecompressError } from "../../lib/compression/error.ts";
import { documentOf, manifestOf } from "../../lib/oci/build.ts";
import { blobFile, CONTAINERD_NAME, REF_NAME } from "../../lib/oci/layout.ts";
import { type Descriptor, type ImageIndex, mediaTypes } from "../../lib/oci/types.ts";
import { readBlobFile, writeHashed } from "../../lib/oci/write_blob.ts";
import { writeAllSync } from "../../lib/write_all.ts";
import { encodeTarHeader, TAR_TRAILER, tarPadding } from "../../lib/tar/encode.ts";
import { EngineError } from "../contract/errors.ts";
import type { Layer } from "../contract/store.ts";
import { LAYOUT } from "../../lib/oci/layout_dir.ts";
import { removeUnfinishedOf, replaceFile } from "../../lib/replace_file.ts";
import { entryOf } from "./oci_layout.ts";
import { blobsOf, damaged, type ExportOptions, fromStore, type PackedImage, type Packer } from "./packer.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** Writes an OCI image layout as a tar (image-spec image-layout.md). */
export const writeOciArchive: Packer = async (images, path, options) => {
  await writeArchive(path, images, options, [["index.json", indexOf(images.map(entryOf))]]);
};

/**
 * Writes what `docker load` takes: `manifest.json` with an OCI layout in the same tar, as current Docker does. Layers
 * stay compressed; zstd ones, which older Dockers cannot load, are unpacked to plain tars.
 */
export const writeDockerArchive: Packer = async (images, path, options) => {
  const packed: PackedImage[] = [];
  const unpacked = new Map<Digest, UnpackedLayer>();
  try {
    for (const image of images) {
      const layers: Layer[] = [];
      for (const layer of image.state.layers) {
        const zstd = layer.mediaType === mediaTypes.layerZstd;
        if (zstd && !unpacked.has(layer.diffId)) {
          unpacked.set(layer.diffId, await unpackLayer(layer, options));
        }
        layers.push(zstd ? unpacked.get(layer.diffId)! : layer);
      }
      const state = { ...image.state, layers };
      packed.push({ ...image, ...await manifestOf(state), state });
    }
    const manifests = packed.map(({ config, reference, state }) => ({
      Config: blobFile(config.digest),
      RepoTags: [reference.replace(/^docker\.io\/(library\/)?/, "")],
      Layers: state.layers.map(({ digest }) => blobFile(digest)),
    }));
    const documents = [["index.json", indexOf(packed.map(dockerEntry))], [
      "manifest.json",
      manifests,
    ]] as const;
    await writeArchive(path, packed, options, documents, unpacked);
  } finally {
    for (const { file } of unpacked.values()) await Deno.remove(file);
  }
};

interface UnpackedLayer extends Layer {
  readonly file: string;
}

/** The plain tar of a layer, in the scratch directory. */
async function unpackLayer(layer: Layer, { store, signal }: ExportOptions): Promise<UnpackedLayer> {
  const { openLayer } = await import("../../lib/layer/open.ts");
  const file = `${await store.blobs.scratch()}/plain-${crypto.randomUUID()}`;
  const what = `Cannot unpack layer ${layer.digest}`;
  try {
    const { digest, size } = await writeHashed(openLayer(store.blobs.path(layer.digest)), file, { signal });
    if (digest !== layer.diffId) {
      throw damaged(`${what}: its content is ${digest}, wanted is ${layer.diffId}`);
    }
    return { mediaType: mediaTypes.layerTar, digest: layer.diffId, size, diffId: layer.diffId, file };
  } catch (error) {
    const unreadable = error instanceof DecompressError || error instanceof Deno.errors.NotFound;
    throw unreadable ? damaged(`${what}: ${error.message}`, error) : error;
  }
}

function indexOf(manifests: readonly Descriptor[]): ImageIndex {
  return { schemaVersion: 2, mediaType: mediaTypes.index, manifests };
}

/** An entry as Docker and containerd write it: the whole name beside the tag. */
function dockerEntry(image: PackedImage): Descriptor {
  const tag = image.reference.slice(image.reference.lastIndexOf(":") + 1);
  return { ...entryOf(image), annotations: { [CONTAINERD_NAME]: image.reference, [REF_NAME]: tag } };
}

/** Writes the blobs of images in digest order between the fixed files of a layout; nothing in it tells when or where. */
async function writeArchive(
  path: string,
  images: readonly PackedImage[],
  { store, signal, progress }: ExportOptions,
  documents: readonly (readonly [name: string, content: unknown])[],
  elsewhere: ReadonlyMap<Digest, { readonly file: string }> = new Map(),
): Promise<void> {
  const found = await Deno.stat(path).catch(() => undefined);
  if (found && !found.isFile) {
    throw new EngineError(
      "EXPORT_FAILED",
      `Cannot export to "${path}": it is not a file, wanted is a file or nothing`,
      { fix: "Name a file; what is there is replaced once the archive is whole" },
    );
  }
  const blobs = blobsOf(images).sort((a, b) => a.digest < b.digest ? -1 : 1);
  const total = blobs.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  await removeUnfinishedOf(path);
  await replaceFile(path, async (temp) => {
    using out = await Deno.open(temp, { write: true, createNew: true });
    const entry = async (
      name: string,
      size: number,
      content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    ) => {
      writeAllSync(out, encodeTarHeader({ ...ENTRY, path: name, type: "file", mode: 0o644, size }));
      for await (const chunk of content) {
        signal.throwIfAborted();
        writeAllSync(out, chunk);
      }
      writeAllSync(out, tarPadding(size));
    };
    for (const dir of ["blobs", "blobs/sha256"]) {
      writeAllSync(out, encodeTarHeader({ ...ENTRY, path: dir, type: "dir", mode: 0o755, size: 0 }));
    }
    for (const { digest, size, bytes } of blobs) {
      const file = elsewhere.get(digest)?.file ?? store.blobs.path(digest);
      const content = bytes ? [bytes] : readBlobFile(file, { digest, size });
      await fromStore(() => entry(blobFile(digest), size, content));
      progress(done += size, total);
    }
    for (const [name, content] of documents) {
      const { bytes, size } = await documentOf("application/json", content);
      await entry(name, size, [bytes]);
    }
    const layout = new TextEncoder().encode(LAYOUT);
    await entry("oci-layout", layout.length, [layout]);
    writeAllSync(out, TAR_TRAILER);
  });
}

const ENTRY = { uid: 0, gid: 0, mtime: 0 } as const;
