import { emptyImage } from "../../lib/oci/empty_image.ts";
import { labels } from "../contract/labels.ts";
import type { Repository } from "../contract/registry.ts";

/** Puts an image of dapp's own under a tag that is listed but names nothing, and removes that: then it is not listed. */
export async function clearListed(repository: Repository, tag: string, signal: AbortSignal): Promise<void> {
  if (await repository.head(tag, signal) !== undefined) return;
  const { manifest, blobs } = await emptyImage({ annotations: { [labels.removed]: crypto.randomUUID() } });
  for (const { digest, size, bytes } of blobs) {
    const blob = { digest, size, source: { bytes } };
    await repository.upload(blob, { signal, report() {} });
  }
  await repository.putManifest(manifest, tag, signal);
  await repository.remove({ tag, digest: manifest.digest, alone: true }, signal);
}
