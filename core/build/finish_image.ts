import { type BuiltManifest, manifestOf } from "../../lib/oci/build.ts";
import type { ImageState, StageRecord, Store } from "../contract/store.ts";
import type { SignedImage } from "../sign/sign.ts";
import type { BuiltImage } from "../contract/results.ts";

/** The image that the last stage's record describes; with `write`, its config and manifest are put into the store. */
export async function finishImage(
  image: SignedImage,
  record: StageRecord,
  store: Store,
  options: { readonly write: boolean },
): Promise<BuiltImage> {
  const { manifest } = options.write
    ? await keepDocuments(record.image, store)
    : await manifestOf(record.image);
  const { name, kind } = image.node.rule;
  return { name, kind, signature: record.signature, digest: manifest.digest, state: record.image };
}

/** Puts the manifest and config of an image into the store. */
export async function keepDocuments(
  state: ImageState,
  { blobs }: Pick<Store, "blobs">,
): Promise<BuiltManifest> {
  const documents = await manifestOf(state);
  await Promise.all([documents.config, documents.manifest].map(({ bytes }) => blobs.put(bytes)));
  return documents;
}
