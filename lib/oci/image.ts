import { isObject, parseJson } from "./documents.ts";
import { isSha256 } from "./digest.ts";
import { OciError } from "./errors.ts";
import { layerType } from "./media_type.ts";
import type { ImageConfig, ImageManifest, OciPlatform } from "./types.ts";

/** One layer with its compressed and its uncompressed identity. */
export interface ImageLayer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly diffId: string;
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
 * @throws {OciError} when it is no config
 */
export function parseConfig(bytes: Uint8Array, title: string): ImageConfig {
  const what = `the config of "${title}"`;
  const json = parseJson(bytes, what);
  const kept = present(json).filter(([key]) => !STALE.includes(key));
  const { rootfs } = json;
  if (!isObject(rootfs)) throw new OciError("invalid", `Cannot read ${what}: it has no "rootfs"`);
  const ids = rootfs.diff_ids ?? [];
  if (!Array.isArray(ids) || !ids.every(isSha256)) {
    throw new OciError("invalid", `Cannot read ${what}: "rootfs.diff_ids" is not a list of sha256 digests`);
  }
  const text = (key: string) => typeof json[key] === "string" ? json[key] as string : "";
  return {
    ...Object.fromEntries(kept),
    ...(isObject(json.config) && { config: Object.fromEntries(present(json.config)) }),
    os: text("os"),
    architecture: text("architecture"),
    rootfs: { type: "layers", diff_ids: ids },
  };
}

/** Members that are not null. */
function present(object: Record<string, unknown>): [string, unknown][] {
  return Object.entries(object).filter(([, value]) => value !== null);
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
