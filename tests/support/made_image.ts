/** Makes OCI layouts of images that no tool would write, for tests of what is read from others. */
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { mediaTypes } from "../../lib/oci/types.ts";
import { architecture } from "./rootfs_image.ts";
import { type Digest, digestFromHex } from "../../lib/oci/digest.ts";

/** A layer as it is stored and as the image describes it. */
export interface MadeLayer {
  readonly blob: Uint8Array;
  readonly diffId: string;
  readonly mediaType?: string;
}

export interface MadeImage {
  readonly layers: readonly MadeLayer[];
  /** Takes the place of members of the configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Takes the place of members of the manifest. */
  readonly manifest?: Readonly<Record<string, unknown>>;
}

export function sha256(bytes: Uint8Array): Digest {
  return digestFromHex(createHash("sha256").update(bytes).digest("hex"));
}

/** A layer whose image tells the truth. */
export function gzipLayer(tar: Uint8Array): MadeLayer {
  return { blob: gzipSync(tar), diffId: sha256(tar), mediaType: mediaTypes.layerGzip };
}

/** Writes the layout directory `dir` with the image under the tag `latest`; gives the digest of its manifest. */
export async function writeImage(dir: string, { layers, ...other }: MadeImage): Promise<string> {
  await Deno.mkdir(`${dir}/blobs/sha256`, { recursive: true });
  const put = async (mediaType: string, bytes: Uint8Array) => {
    const digest = sha256(bytes);
    await Deno.writeFile(`${dir}/blobs/sha256/${digest.slice(7)}`, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const platform = { os: "linux", architecture };
  const config = await put(
    mediaTypes.config,
    json({
      ...platform,
      config: { Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
      ...other.config,
    }),
  );
  const blobs = await Promise.all(
    layers.map(({ mediaType = mediaTypes.layerTar, blob }) => put(mediaType, blob)),
  );
  const manifest = await put(
    mediaTypes.manifest,
    json({ schemaVersion: 2, mediaType: mediaTypes.manifest, config, layers: blobs, ...other.manifest }),
  );
  const annotations = { "org.opencontainers.image.ref.name": "latest" };
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [{ ...manifest, annotations }] };
  await Deno.writeFile(`${dir}/index.json`, json(index));
  await Deno.writeTextFile(`${dir}/oci-layout`, '{"imageLayoutVersion":"1.0.0"}');
  return manifest.digest;
}
