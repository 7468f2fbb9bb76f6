import { parseManifest } from "./documents.ts";
import { OciError } from "./errors.ts";
import { parseConfig } from "./image.ts";
import { isImageConfig } from "./media_type.ts";
import { formatPlatform, platformDistance } from "./platform.ts";
import { type Descriptor, type ImageManifest, mediaTypes, type OciPlatform } from "./types.ts";
import type { Digest } from "./digest.ts";

/** Gives documents whose digest has been verified. */
export interface ImageReader {
  manifest(descriptor: Descriptor): Promise<Uint8Array>;
  config(descriptor: Descriptor): Promise<Uint8Array>;
}

/** A manifest or index and what it was called by. */
export interface RootDocument {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  /** As delivered; undefined when nobody said. */
  readonly mediaType?: string | undefined;
}

/** The manifest of one image for one platform. */
export interface FoundImage {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
  readonly manifest: ImageManifest;
}

export interface FindOptions {
  readonly platform: OciPlatform;
  /** The image as the user wrote it. */
  readonly title: string;
  readonly reader: ImageReader;
}

const MAX_DEPTH = 4;
/** Manifests and indexes that are looked at to find one image. */
const MAX_LOOKS = 1000;

/**
 * Finds the image for a platform below a manifest or index (image-spec image-index.md). Indexes may nest; attestations
 * are passed over; entries without a platform are judged by their config.
 *
 * @throws {OciError} when there is none (with a list of what there is), or it is not an image
 */
export async function findImage(root: RootDocument, options: FindOptions): Promise<FoundImage> {
  const seen = new Seen();
  const found = await search(root, options, seen, 0);
  if (found) return found;
  const [shown, more] = [
    [...seen.platforms].slice(0, 20).join(", "),
    seen.platforms.size > 20 ? ", ..." : "",
  ];
  const there = seen.platforms.size > 0 ? `it has ${shown}${more}` : "it holds no image";
  const wanted = formatPlatform(options.platform);
  throw new OciError("invalid", `Cannot use image "${options.title}": ${there}, wanted is ${wanted}`, {
    ...(seen.platforms.size > 0 && {
      fix: `Build for ${seen.platforms.size === 1 ? "" : "one of "}what it has (--platform ${
        [...seen.platforms][0]
      }), or choose a base image that is made for ${wanted}`,
    }),
  });
}

/** What a search has met. */
class Seen {
  readonly platforms = new Set<string>();
  documents = 0;
}

async function search(
  root: RootDocument,
  options: FindOptions,
  seen: Seen,
  depth: number,
): Promise<FoundImage | undefined> {
  const { platform, title, reader } = options;
  const document = parseManifest(root.bytes, `the manifest of "${title}"`, root.mediaType);
  if (document.kind === "manifest") {
    const { manifest } = document;
    requireImage(manifest, title);
    const config = parseConfig(await reader.config(manifest.config), title);
    const fits = config.os === "" || config.architecture === "" ||
      platformDistance(platform, config) !== undefined;
    if (!fits) seen.platforms.add(formatPlatform(config));
    return fits ? { digest: root.digest, bytes: root.bytes, manifest } : undefined;
  }
  if (depth === MAX_DEPTH) {
    throw new OciError("invalid", `Cannot use image "${title}": its indexes nest deeper than ${MAX_DEPTH}`);
  }
  const images = document.index.manifests.filter((entry) => !isAttestation(entry));
  const ranked = images.flatMap((entry) => {
    const distance = entry.platform && platformDistance(platform, entry.platform);
    return distance === undefined ? [] : [{ entry, distance }];
  }).sort((a, b) => a.distance - b.distance);
  const best = ranked[0]?.entry;
  if (best) return await enter(best, options, seen, depth);
  for (const entry of images) {
    if (entry.platform) {
      seen.platforms.add(formatPlatform(entry.platform));
      continue;
    }
    const found = await enter(entry, options, seen, depth);
    if (found) return found;
  }
  return undefined;
}

async function enter(entry: Descriptor, options: FindOptions, seen: Seen, depth: number) {
  if (++seen.documents > MAX_LOOKS) {
    const why = `none of the first ${MAX_LOOKS} manifests in its indexes is made for it`;
    const wanted = formatPlatform(options.platform);
    throw new OciError("invalid", `Cannot use image "${options.title}" for ${wanted}: ${why}`);
  }
  const bytes = await options.reader.manifest(entry);
  const nested = entry.mediaType === mediaTypes.index || entry.mediaType === mediaTypes.dockerList;
  if (entry.platform && !nested) {
    const document = parseManifest(bytes, `the manifest of "${options.title}"`, entry.mediaType);
    if (document.kind === "manifest") {
      requireImage(document.manifest, options.title);
      return { digest: entry.digest, bytes, manifest: document.manifest };
    }
  }
  const { digest, mediaType } = entry;
  return await search({ digest, bytes, mediaType }, options, seen, depth + 1);
}

/** @throws {OciError} for manifests of other things than container images */
function requireImage(manifest: ImageManifest, title: string): void {
  const { artifactType } = manifest as { artifactType?: unknown };
  if (isImageConfig(manifest.config.mediaType) && artifactType === undefined) return;
  const kind = typeof artifactType === "string" ? artifactType : manifest.config.mediaType;
  throw new OciError("invalid", `Cannot use "${title}" as an image: it is an artifact of type "${kind}"`);
}

/** BuildKit's provenance and SBOM entries, which stand in an index beside the images they are about. */
function isAttestation({ platform, annotations }: Descriptor): boolean {
  return (platform?.os === "unknown" && platform.architecture === "unknown") ||
    annotations?.["vnd.docker.reference.type"] !== undefined;
}
