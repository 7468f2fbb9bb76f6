import { type Digest, digestOf } from "./digest.ts";
import { isObject } from "../guard.ts";
import type { Image } from "./image.ts";
import { mediaTypes } from "./types.ts";

/** A document as it is stored and named. */
export interface BuiltDocument {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly bytes: Uint8Array;
}

/** The two documents that make layers an image. */
export interface BuiltManifest {
  readonly manifest: BuiltDocument;
  readonly config: BuiltDocument;
}

const CONFIG_ORDER = ["created", "author", "architecture", "variant", "os", "config", "rootfs", "history"];

/**
 * The manifest and config of an image (image-spec manifest.md, config.md), in one canonical form: no white space, the
 * members of the specification first and in its order, all others sorted. Equal images give equal bytes on every machine.
 * Nothing is added but the annotations, times least of all.
 */
export async function manifestOf(
  image: Image,
  annotations: Readonly<Record<string, string>> = {},
): Promise<BuiltManifest> {
  const config = await documentOf(mediaTypes.config, orderConfig(image.config));
  return await manifestWith(config, image.layers, annotations);
}

/** The manifest of an image whose configuration is written already. */
export async function manifestWith(
  config: BuiltDocument,
  layers: Image["layers"],
  annotations: Readonly<Record<string, string>>,
): Promise<BuiltManifest> {
  const { mediaType, digest, size } = config;
  const manifest = await documentOf(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType, digest, size },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
    ...(Object.keys(annotations).length > 0 && { annotations: sortMembers(annotations) }),
  });
  return { manifest, config };
}

/** Serialises a document whose member order is settled. */
export async function documentOf(mediaType: string, value: unknown): Promise<BuiltDocument> {
  return await textDocument(mediaType, JSON.stringify(value));
}

/** A document that is written already. */
export async function textDocument(mediaType: string, text: string): Promise<BuiltDocument> {
  const bytes = new TextEncoder().encode(text);
  return { mediaType, digest: await digestOf(bytes), size: bytes.length, bytes };
}

function orderConfig(config: Image["config"]): Record<string, unknown> {
  const sorted = sortMembers(config) as Record<string, unknown>;
  const out: Record<string, unknown> = {};
  for (const key of CONFIG_ORDER) if (sorted[key] !== undefined) out[key] = sorted[key];
  return { ...out, ...sorted };
}

/** The same value with the members of every object sorted by code unit. */
export function sortMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortMembers);
  if (!isObject(value)) return value;
  const keys = Object.keys(value).sort((a, b) => a < b ? -1 : 1);
  return Object.fromEntries(keys.map((key) => [key, sortMembers(value[key])]));
}
