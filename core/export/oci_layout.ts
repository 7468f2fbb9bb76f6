import { LayoutDirectory } from "../../lib/oci/layout_dir.ts";
import { REF_NAME } from "../../lib/oci/layout.ts";
import type { Descriptor, ImageIndex } from "../../lib/oci/types.ts";
import { blobsOf, fromStore, type PackedImage, type Packer } from "./packer.ts";

/** Adds images to an OCI image layout directory, making it when it is absent or empty: blobs first, then the index. */
export const writeLayout: Packer = async (images, dir, { store, signal, progress }) => {
  const layout = new LayoutDirectory(dir);
  await layout.locked(signal, async () => {
    const blobs = blobsOf(images);
    const total = blobs.reduce((sum, { size }) => sum + size, 0);
    let done = 0;
    for (const { digest, size, bytes } of blobs) {
      signal.throwIfAborted();
      const blob = { digest, size };
      if (!await layout.hasBlob(blob, signal)) {
        await fromStore(() => layout.putBlob(blob, bytes ?? { file: store.blobs.path(digest) }, signal));
      }
      progress(done += size, total);
    }
    await layout.writeIndex(addEntries(await layout.index(), images));
  });
};

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
