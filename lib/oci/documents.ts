import { isCount, isObject } from "../guard.ts";
import { isDigest } from "./digest.ts";
import { OciError } from "./errors.ts";
import { MANIFEST_TYPES, plainType } from "./media_type.ts";
import { type Descriptor, type ImageIndex, type ImageManifest, mediaTypes as types } from "./types.ts";

/** A manifest or an index, told apart. */
export type ManifestDocument =
  | { readonly kind: "index"; readonly index: ImageIndex }
  | { readonly kind: "manifest"; readonly manifest: ImageManifest };

/** Largest manifest, index or config that is read, in bytes. */
export const MAX_DOCUMENT = 4 << 20;
/** Lists and objects in each other that are read; what walks a document then has stack enough. */
const MAX_DEPTH = 100;
const decoder = new TextDecoder();

/**
 * Reads an image index, manifest list or image manifest (image-spec manifest.md, image-index.md; Docker schema 2).
 *
 * `declared` is the type that came with it (Content-Type or descriptor), which must agree with the document's own.
 * `title` names the document in messages.
 *
 * @throws {OciError} when it is none of them
 */
export function parseManifest(bytes: Uint8Array, title: string, declared?: string): ManifestDocument {
  const json = parseJson(bytes, title);
  const fail = (why: string) => new OciError("invalid", `Cannot read ${title}: ${why}`);
  if (json.schemaVersion === 1) {
    throw fail("it is a Docker schema 1 manifest, which no current tool writes. Push the image again");
  }
  const own = typeof json.mediaType === "string" && json.mediaType !== "" ? json.mediaType : undefined;
  const given = plainType(declared);
  if (own && given && own !== given) throw fail(`it says it is "${own}", but was delivered as "${given}"`);
  const type = own ?? given ?? (Array.isArray(json.manifests) ? types.index : types.manifest);
  if (json.schemaVersion !== 2) {
    throw fail(`its schemaVersion is ${JSON.stringify(json.schemaVersion) ?? "absent"}, wanted 2`);
  }
  if (type === types.index || type === types.dockerList) {
    const manifests = descriptors(json.manifests ?? [], "manifests", fail);
    return { kind: "index", index: { ...json, schemaVersion: 2, mediaType: type, manifests } };
  }
  if (type !== types.manifest && type !== types.dockerManifest) {
    throw fail(`its type "${type}" is neither an image manifest nor an image index`);
  }
  const [config] = descriptors([json.config], "config", fail);
  const layers = descriptors(json.layers ?? [], "layers", fail);
  return {
    kind: "manifest",
    manifest: { ...json, schemaVersion: 2, mediaType: type, config: config!, layers },
  };
}

/** Entries of an index that are manifests. Build caches of BuildKit have blobs as entries, which no manifest request finds. */
export function manifestsOf({ manifests }: ImageIndex): readonly Descriptor[] {
  return manifests.filter(({ mediaType }) => MANIFEST_TYPES.includes(mediaType));
}

/** Everything else that an index or a manifest refers to. */
export function blobsOf(document: ManifestDocument): readonly Descriptor[] {
  return document.kind === "index"
    ? document.index.manifests.filter(({ mediaType }) => !MANIFEST_TYPES.includes(mediaType))
    : [document.manifest.config, ...document.manifest.layers];
}

/** Parses a JSON object. @throws {OciError} */
export function parseJson(bytes: Uint8Array, title: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(decoder.decode(bytes));
  } catch {
    throw new OciError("invalid", `Cannot read ${title}: it is not JSON`);
  }
  if (!isObject(value)) throw new OciError("invalid", `Cannot read ${title}: it is not a JSON object`);
  requireFlat(value, title);
  return value;
}

/** @throws {OciError} when lists and objects stand in each other too deep */
export function requireFlat(value: unknown, title: string): void {
  if (isFlat(value, MAX_DEPTH)) return;
  throw new OciError("invalid", `Cannot read ${title}: it is nested more than ${MAX_DEPTH} levels deep`);
}

/** Whether no more than so many levels stand below a value. */
function isFlat(value: unknown, levels: number): boolean {
  if (levels < 0) return false;
  if (Array.isArray(value)) return value.every((each) => isFlat(each, levels - 1));
  if (!isObject(value)) return true;
  for (const key in value) if (!isFlat(value[key], levels - 1)) return false;
  return true;
}

function descriptors(value: unknown, field: string, fail: (why: string) => OciError): Descriptor[] {
  if (!Array.isArray(value)) throw fail(`"${field}" is not a list`);
  return value.map((item: unknown, i) => {
    if (!isObject(item)) throw fail(`"${field}" entry ${i} is no descriptor`);
    const { mediaType, digest, size } = item;
    if (typeof mediaType !== "string") throw fail(`"${field}" entry ${i} has no mediaType`);
    if (!isDigest(digest)) {
      throw fail(`"${field}" entry ${i} has digest ${JSON.stringify(digest)}, only sha256 is supported`);
    }
    if (!isCount(size)) {
      throw fail(`"${field}" entry ${i} has size ${JSON.stringify(size)}`);
    }
    return { ...item, mediaType, digest, size };
  });
}
