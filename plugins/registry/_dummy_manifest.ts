import { mediaTypes } from "../../lib/oci/types.ts";
import { sha256Of } from "../../lib/oci/digest.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import type { OutgoingManifest } from "../../lib/registry/put_manifest.ts";
import { uploadBlob } from "../../lib/registry/upload.ts";

/** An image like no other, of an empty layer; with it a tag can be moved away from what it names. */
export interface DummyManifest extends OutgoingManifest {
  readonly digest: string;
}

const LABEL = "dapp-removed-tag";
const EMPTY_TAR = new Uint8Array(1024);

/** Makes a dummy and stores its blobs, not yet the manifest. @throws {RegistryError} */
export async function prepareDummy(
  client: RegistryClient,
  path: string,
  signal: AbortSignal,
): Promise<DummyManifest> {
  const store = async (bytes: Uint8Array) => {
    const blob = { digest: await sha256Of(bytes), size: bytes.length };
    await uploadBlob(client, path, { blob: { ...blob, source: { bytes } }, signal });
    return blob;
  };
  const layer = await store(EMPTY_TAR);
  const config = await store(encode({
    architecture: "amd64",
    os: "linux",
    config: { Labels: { [LABEL]: crypto.randomUUID() } },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  }));
  const bytes = encode({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...config },
    layers: [{ mediaType: mediaTypes.layerTar, ...layer }],
  });
  return { bytes, mediaType: mediaTypes.manifest, digest: await sha256Of(bytes) };
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
