import { type BuiltDocument, manifestOf } from "./build.ts";
import type { ImageLayer } from "./image.ts";
import { mediaTypes } from "./types.ts";
import { type Digest, parseDigest } from "./digest.ts";

/** A blob with its content. */
export interface EmptyImageBlob {
  readonly digest: Digest;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** An image without files. */
export interface EmptyImage {
  readonly manifest: BuiltDocument;
  /** Its layer and its configuration: all that the manifest names. */
  readonly blobs: readonly EmptyImageBlob[];
}

/**
 * The layer without entries, byte by byte as Docker writes it. It is compressed, since who copies an image to a
 * registry compresses what is not (skopeo, buildah), and the image gets another digest.
 */
export const EMPTY_LAYER = {
  mediaType: mediaTypes.layerGzip,
  digest: parseDigest("sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4"),
  size: 32,
  diffId: parseDigest("sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"),
  bytes: Uint8Array.fromBase64("H4sIAAAJbogA/2IYBaNgFIxYAAgAAP//Lq+17wAEAAA="),
} as const satisfies ImageLayer & EmptyImageBlob;

/**
 * Makes an image without files, to carry annotations. It is an image like any other, since some registries
 * refuse every type of artifact or configuration that they do not know (GitLab, Quay).
 */
export async function emptyImage(
  { annotations }: { readonly annotations?: Readonly<Record<string, string>> },
): Promise<EmptyImage> {
  const { manifest, config } = await manifestOf({
    config: {
      architecture: "amd64",
      os: "linux",
      rootfs: { type: "layers", diff_ids: [EMPTY_LAYER.diffId] },
    },
    layers: [EMPTY_LAYER],
  }, annotations);
  return {
    manifest,
    blobs: [EMPTY_LAYER, { digest: config.digest, size: config.size, bytes: config.bytes }],
  };
}
