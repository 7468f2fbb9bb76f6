import { type BuiltDocument, manifestOf } from "./build.ts";
import { sha256Of } from "./digest.ts";
import { mediaTypes } from "./types.ts";

/** A blob with its content. */
export interface EmptyImageBlob {
  readonly digest: string;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** An image without files. */
export interface EmptyImage {
  readonly manifest: BuiltDocument;
  /** Its layer and its configuration: all that the manifest names. */
  readonly blobs: readonly EmptyImageBlob[];
}

/** A tar archive that ends at once. */
const EMPTY_TAR = new Uint8Array(1024);

/**
 * Makes an image without files, to carry labels or annotations. It is an image like any other, since some registries
 * refuse every type of artifact or configuration that they do not know (GitLab, Quay).
 */
export async function emptyImage(
  { labels, annotations }: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  },
): Promise<EmptyImage> {
  const digest = await sha256Of(EMPTY_TAR);
  const layer = { digest, size: EMPTY_TAR.length, bytes: EMPTY_TAR };
  const { manifest, config } = await manifestOf({
    config: {
      architecture: "amd64",
      os: "linux",
      ...(labels && { config: { Labels: labels } }),
      rootfs: { type: "layers", diff_ids: [digest] },
    },
    layers: [{ mediaType: mediaTypes.layerTar, digest, size: layer.size, diffId: digest }],
  }, annotations);
  return { manifest, blobs: [layer, { digest: config.digest, size: config.size, bytes: config.bytes }] };
}
