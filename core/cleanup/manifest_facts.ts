import { isObject, parseManifest } from "../../lib/oci/documents.ts";
import type { ManifestFacts } from "../contract/cleanup.ts";
import { type Digest, isDigest, isSignature } from "../contract/digest.ts";
import { labels, ociLabels, type StageChain } from "../contract/labels.ts";

/** A manifest as cleanup remembers it: references, and those annotations that dapp writes. Plain JSON. */
export interface KnownManifest extends ManifestFacts {
  readonly annotations: Readonly<Record<string, string>>;
}

const KEPT: ReadonlySet<string> = new Set([
  ...Object.values(labels),
  ociLabels.created,
  ociLabels.version,
]);

/** Reads a manifest or an index. @throws {OciError} when it is neither */
export function readKnown(bytes: Uint8Array, mediaType: string, title: string): KnownManifest {
  const document = parseManifest(bytes, title, mediaType);
  const { annotations } = document.kind === "index" ? document.index : document.manifest;
  const kept: Record<string, string> = {};
  for (const [key, value] of Object.entries(isObject(annotations) ? annotations : {})) {
    if (KEPT.has(key) && typeof value === "string") kept[key] = value;
  }
  return document.kind === "index"
    ? {
      size: bytes.length,
      blobs: [],
      children: document.index.manifests.map((child) => child.digest as Digest),
      annotations: kept,
    }
    : {
      size: bytes.length,
      blobs: [document.manifest.config, ...document.manifest.layers].map((b) => [b.digest, b.size] as const),
      children: [],
      annotations: kept,
    };
}

/** The chain in a manifest's annotation; undefined when there is one that cannot be read, empty when there is none. */
export function chainOf(annotations: KnownManifest["annotations"]): StageChain | undefined {
  const text = annotations[labels.stages];
  if (text === undefined) return [];
  try {
    const value: unknown = JSON.parse(text);
    return isChain(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Signatures of every stage that a manifest with these annotations stands on. */
export function neededBy(annotations: KnownManifest["annotations"]): readonly string[] {
  const chain = chainOf(annotations) ?? [];
  const own = annotations[labels.signature];
  const previous = annotations[labels.previous];
  const found = chain.flatMap(({ stages }) => stages.map(({ signature }) => signature));
  return [...new Set([...found, ...own ? [own] : [], ...previous ? [previous] : []])];
}

function isChain(value: unknown): value is StageChain {
  return Array.isArray(value) &&
    value.every((image) =>
      isObject(image) && typeof image.image === "string" && Array.isArray(image.stages) &&
      image.stages.every((stage) =>
        isObject(stage) && typeof stage.stage === "string" && typeof stage.signature === "string" &&
        isSignature(stage.signature)
      )
    );
}

/** Whether a value from the cache is what {@linkcode readKnown} gives. */
export function isKnown(value: unknown): value is KnownManifest {
  return isObject(value) && typeof value.size === "number" && Array.isArray(value.blobs) &&
    Array.isArray(value.children) && value.children.every((c) => typeof c === "string" && isDigest(c)) &&
    isObject(value.annotations);
}
