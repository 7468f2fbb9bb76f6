import { isObject } from "../../lib/guard.ts";
import { blobsOf, manifestsOf, parseManifest } from "../../lib/oci/documents.ts";
import { isImageConfig } from "../../lib/oci/media_type.ts";
import type { ManifestFacts } from "../contract/cleanup.ts";
import { labels, ociLabels, parseChain } from "../contract/labels.ts";
import { type Digest, isDigest } from "../../lib/oci/digest.ts";
import { OciError } from "../../lib/oci/errors.ts";
import type { RemoteManifest } from "../contract/registry.ts";

/** A manifest as cleanup remembers it: references, and those annotations that dapp writes. Plain JSON. */
export interface KnownManifest extends ManifestFacts {
  readonly annotations: Readonly<Record<string, string>>;
  /** What `annotations` says was in the labels of the configuration. */
  readonly fromLabels?: true;
}

const KEPT: ReadonlySet<string> = new Set([
  ...Object.values(labels),
  ociLabels.created,
  ociLabels.version,
]);

/** Those annotations that are remembered. */
export function keptOf(annotations: Readonly<Record<string, unknown>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const key of KEPT) {
    const value = annotations[key];
    if (typeof value === "string") kept[key] = value;
  }
  return kept;
}

/** Reads a manifest or an index. @throws {OciError} when it is neither */
export function readKnown(bytes: Uint8Array, mediaType: string, title: string): KnownManifest {
  const document = parseManifest(bytes, title, mediaType);
  const { annotations } = document.kind === "index" ? document.index : document.manifest;
  const children = document.kind === "index" ? manifestsOf(document.index) : [];
  return {
    size: bytes.length,
    blobs: blobsOf(document).map(({ digest, size }) => [digest, size] as const),
    children: children.map(({ digest }) => digest),
    annotations: keptOf(isObject(annotations) ? annotations : {}),
  };
}

/** The configuration of an image; undefined for an index, and for what is no image. */
export function configOf(
  bytes: Uint8Array,
  mediaType: string,
  title: string,
): { readonly digest: Digest; readonly size: number } | undefined {
  const document = parseManifest(bytes, title, mediaType);
  if (document.kind === "index") return undefined;
  const { config } = document.manifest;
  return isImageConfig(config.mediaType) ? config : undefined;
}

/** Signatures of every stage that a manifest with these annotations stands on. */
export function neededBy(annotations: KnownManifest["annotations"]): readonly string[] {
  const chain = parseChain(annotations[labels.stages]) ?? [];
  const own = annotations[labels.signature];
  const previous = annotations[labels.previous];
  const found = chain.flatMap(({ stages }) => stages.map(({ signature }) => signature));
  return [...new Set([...found, ...own ? [own] : [], ...previous ? [previous] : []])];
}

/** Whether a value from the cache is what {@linkcode readKnown} gives. */
export function isKnown(value: unknown): value is KnownManifest {
  return isObject(value) && typeof value.size === "number" && Array.isArray(value.blobs) &&
    Array.isArray(value.children) && value.children.every((c) => typeof c === "string" && isDigest(c)) &&
    isObject(value.annotations);
}

/** What a manifest says; undefined when it cannot be read. */
export function knownOf({ bytes, mediaType, digest }: RemoteManifest): KnownManifest | undefined {
  try {
    return readKnown(bytes, mediaType, digest);
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}
