import { manifestOf } from "../../lib/oci/build.ts";
import type { StageRecord, Store } from "../contract/store.ts";
import type { SignedImage } from "../sign/sign.ts";
import type { BuiltImage } from "../contract/results.ts";

/** The image that the last stage's record describes; with `write`, its config and manifest are put into the store. */
export async function finishImage(
  image: SignedImage,
  record: StageRecord,
  store: Store,
  options: { readonly write: boolean },
): Promise<BuiltImage> {
  const { manifest, config } = await manifestOf(record.image);
  if (options.write) await Promise.all([store.blobs.put(config.bytes), store.blobs.put(manifest.bytes)]);
  const { name, kind } = image.node.rule;
  return { name, kind, signature: record.signature, digest: manifest.digest, state: record.image };
}
