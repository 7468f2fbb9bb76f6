import { checkConfig } from "./check_config.ts";
import { isObject } from "../guard.ts";
import { parseJson } from "./documents.ts";
import { type Digest, isDigest } from "./digest.ts";
import { OciError } from "./errors.ts";
import { layerType } from "./media_type.ts";
import type { ImageConfig, ImageManifest, OciPlatform } from "./types.ts";

/** One layer with its compressed and its uncompressed identity. */
export interface ImageLayer {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly diffId: Digest;
}

/** An image as data. */
export interface Image {
  readonly config: ImageConfig;
  readonly layers: readonly ImageLayer[];
}

/** More layers than any tool makes or runs; Docker stops at 127. */
const MAX_LAYERS = 1000;

/** Members that describe how the last layer was made by an old Docker, wrong for whatever is built on top. */
const STALE = ["container", "container_config", "docker_version", "id", "parent", "throwaway"];

/**
 * Reads an image config (image-spec config.md). Unknown members stay; `null` is read as absent; a missing platform is
 * "".
 *
 * @throws {OciError} when it is no config; names the member that has another type than it should
 */
export function parseConfig(bytes: Uint8Array, title: string): ImageConfig {
  const what = `the config of "${title}"`;
  const fail = (why: string) => new OciError("invalid", `Cannot read ${what}: ${why}`);
  const json = checkConfig(parseJson(bytes, what), fail);
  const { rootfs, os = "", architecture = "", ...rest } = json as Partial<ImageConfig>;
  if (!isObject(rootfs)) throw fail('it has no "rootfs"');
  const ids = rootfs.diff_ids ?? [];
  if (!Array.isArray(ids) || !ids.every(isDigest)) {
    throw fail('"rootfs.diff_ids" is not a list of sha256 digests');
  }
  const kept = Object.entries(rest).filter(([key]) => !STALE.includes(key));
  return { ...Object.fromEntries(kept), os, architecture, rootfs: { type: "layers", diff_ids: ids } };
}

/**
 * Joins a manifest and its config; layer types become the OCI ones.
 *
 * @throws {OciError} when the two do not fit each other or a layer is of an unknown type
 */
export function imageOf(
  manifest: ImageManifest,
  config: Uint8Array,
  options: { readonly title: string; readonly platform: OciPlatform },
): Image {
  const { title, platform } = options;
  const parsed = parseConfig(config, title);
  const ids = parsed.rootfs.diff_ids;
  const fail = (why: string) => new OciError("invalid", `Cannot use image "${title}": ${why}`);
  requireLayerCount(ids.length, title);
  if (ids.length !== manifest.layers.length) {
    throw fail(`its config lists ${ids.length} layers, its manifest ${manifest.layers.length}`);
  }
  const layers = manifest.layers.map(({ mediaType, digest, size }, i) => {
    const type = layerType(mediaType);
    if (!type) throw fail(`layer ${i + 1} has type "${mediaType}", which is no file system layer`);
    return { mediaType: type, digest, size, diffId: ids[i]! };
  });
  return { config: withPlatform(parsed, platform), layers };
}

/** @throws {OciError} for more layers than an image may have */
export function requireLayerCount(count: number, title: string): void {
  if (count <= MAX_LAYERS) return;
  throw new OciError(
    "invalid",
    `Cannot use image "${title}": it has ${count} layers, allowed are ${MAX_LAYERS}`,
  );
}

/** Fills in what some tools leave empty. */
export function withPlatform(config: ImageConfig, platform: OciPlatform): ImageConfig {
  return config.os !== "" && config.architecture !== "" ? config : { ...config, ...platform };
}
