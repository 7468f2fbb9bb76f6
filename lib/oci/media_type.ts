import { mediaTypes as types } from "./types.ts";

/** Every manifest type that is understood, for an `Accept` header. */
export const MANIFEST_TYPES: readonly string[] = [
  types.index,
  types.manifest,
  types.dockerList,
  types.dockerManifest,
];

const LAYERS: Readonly<Record<string, string>> = {
  [types.layerTar]: types.layerTar,
  [types.layerGzip]: types.layerGzip,
  [types.layerZstd]: types.layerZstd,
  [types.dockerLayerTar]: types.layerTar,
  [types.dockerLayerGzip]: types.layerGzip,
  "application/vnd.docker.image.rootfs.diff.tar.zstd": types.layerZstd,
  "application/vnd.docker.image.rootfs.foreign.diff.tar": types.layerTar,
  "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip": types.layerGzip,
  "application/vnd.oci.image.layer.nondistributable.v1.tar": types.layerTar,
  "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip": types.layerGzip,
  "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd": types.layerZstd,
};

/** The OCI type of a layer by how it is compressed. */
export const layerTypes = {
  plain: types.layerTar,
  gzip: types.layerGzip,
  zstd: types.layerZstd,
} as const;

/** The OCI type of a file system layer, whichever spelling it came in; undefined for what is no such layer. */
export function layerType(mediaType: string): string | undefined {
  return Object.hasOwn(LAYERS, mediaType) ? LAYERS[mediaType] : undefined;
}

/** Whether a manifest with this config type describes an image rather than an artifact of another kind. */
export function isImageConfig(mediaType: string): boolean {
  return mediaType === types.config || mediaType === types.dockerConfig;
}

/** Whether a manifest is in Docker's schema 1, which no current tool writes. */
export function isSchema1(mediaType: string | undefined): boolean {
  return mediaType?.startsWith("application/vnd.docker.distribution.manifest.v1+") === true;
}

/** A Content-Type without its parameters, lower case; undefined for types that say nothing about a manifest. */
export function plainType(contentType: string | undefined): string | undefined {
  const type = contentType?.split(";")[0]?.trim().toLowerCase();
  const vague = ["", "application/json", "text/plain", "application/octet-stream", "binary/octet-stream"];
  return type === undefined || vague.includes(type) ? undefined : type;
}
