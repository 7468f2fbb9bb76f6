import { emptyImage } from "../../lib/oci/empty_image.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import type { OutgoingManifest } from "../../lib/registry/put_manifest.ts";
import { uploadBlob } from "../../lib/registry/upload.ts";

/** An image like no other, of an empty layer; with it a tag can be moved away from what it names. */
export interface DummyManifest extends OutgoingManifest {
  readonly digest: string;
}

const LABEL = "dapp-removed-tag";

/** Makes a dummy and stores its blobs, not yet the manifest. @throws {RegistryError} */
export async function prepareDummy(
  client: RegistryClient,
  path: string,
  signal: AbortSignal,
): Promise<DummyManifest> {
  const { manifest, blobs } = await emptyImage({ labels: { [LABEL]: crypto.randomUUID() } });
  for (const { digest, size, bytes } of blobs) {
    await uploadBlob(client, path, { blob: { digest, size, source: { bytes } }, signal });
  }
  return manifest;
}
