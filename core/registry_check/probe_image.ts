/** The tiny images that a registry is tried out with. */
import { mediaTypes } from "../../lib/oci/types.ts";
import { type Digest, digestOf } from "../contract/digest.ts";
import type { Repository } from "../contract/registry.ts";

/** An image of about a kilobyte that nobody else has. */
export interface ProbeImage {
  readonly digest: Digest;
  readonly manifest: { readonly bytes: Uint8Array; readonly mediaType: string };
  /** Unique as well. */
  readonly config: ProbeBlob;
  readonly layer: ProbeBlob;
}

export interface ProbeBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly bytes: Uint8Array;
}

const EMPTY_TAR = new Uint8Array(1024);

/** Makes an image that differs from every other, in memory. */
export async function makeProbeImage(): Promise<ProbeImage> {
  const layer = await blobOf(EMPTY_TAR);
  const config = await blobOf(encode({
    architecture: "amd64",
    os: "linux",
    config: { Labels: { "dapp-registry-check": crypto.randomUUID() } },
    rootfs: { type: "layers", diff_ids: [layer.digest] },
  }));
  const bytes = encode({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: config.digest, size: config.size },
    layers: [{ mediaType: mediaTypes.layerTar, digest: layer.digest, size: layer.size }],
  });
  return {
    digest: await digestOf(bytes),
    manifest: { bytes, mediaType: mediaTypes.manifest },
    config,
    layer,
  };
}

/** An OCI index with an image as its only entry. */
export async function makeProbeIndex({ digest, manifest }: ProbeImage) {
  const bytes = encode({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [{
      mediaType: manifest.mediaType,
      digest,
      size: manifest.bytes.length,
      platform: { os: "linux", architecture: "amd64" },
    }],
  });
  return { digest: await digestOf(bytes), manifest: { bytes, mediaType: mediaTypes.index } };
}

/** Stores the blobs of an image. @throws {EngineError} */
export async function uploadProbeBlobs(
  repository: Repository,
  { config, layer }: ProbeImage,
  signal: AbortSignal,
): Promise<void> {
  for (const blob of [layer, config]) await uploadProbeBlob(repository, blob, { signal });
}

/** Stores one blob, or has it taken over from another repository. @throws {EngineError} */
export async function uploadProbeBlob(
  repository: Repository,
  { digest, size, bytes }: ProbeBlob,
  { signal, from }: { readonly signal: AbortSignal; readonly from?: string },
): Promise<"present" | "mounted" | "uploaded"> {
  const blob = { digest, size, source: { bytes }, ...(from !== undefined && { from: [from] }) };
  return await repository.upload(blob, { signal, report() {} });
}

async function blobOf(bytes: Uint8Array): Promise<ProbeBlob> {
  return { digest: await digestOf(bytes), size: bytes.length, bytes };
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
