import { isObject, parseManifest } from "../../lib/oci/documents.ts";
import { mediaTypes } from "../../lib/oci/types.ts";
import { digestOf } from "../digest.ts";
import { EngineError, messageOf } from "../errors.ts";
import type { Repository } from "../registry_role.ts";

const PAYLOAD = "dapp-service";
const EMPTY = new TextEncoder().encode("{}");

/** Writes a small document under a service tag, as an annotation of an image manifest without layers. */
export async function writeServiceTag(
  repository: Repository,
  tag: string,
  options: { readonly document: unknown; readonly signal: AbortSignal },
): Promise<void> {
  const { document, signal } = options;
  const config = { mediaType: mediaTypes.config, digest: await digestOf(EMPTY), size: EMPTY.length };
  const io = { signal, report: () => {} };
  await repository.upload({ digest: config.digest, size: config.size, source: { bytes: EMPTY } }, io);
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config,
    layers: [],
    annotations: { [PAYLOAD]: JSON.stringify(document) },
  };
  const bytes = new TextEncoder().encode(JSON.stringify(manifest));
  await repository.putManifest({ bytes, mediaType: mediaTypes.manifest }, tag, signal);
}

/**
 * Reads what {@linkcode writeServiceTag} wrote; undefined when there is no such tag.
 *
 * @throws REGISTRY_FAILED when something else is there: what builds rely on is unknown then
 */
export async function readServiceTag(
  repository: Repository,
  tag: string,
  signal: AbortSignal,
): Promise<Record<string, unknown> | undefined> {
  const manifest = await repository.manifest(tag, signal);
  if (!manifest) return undefined;
  const name = `${repository.name}:${tag}`;
  try {
    const document = parseManifest(manifest.bytes, name, manifest.mediaType);
    const text = document.kind === "manifest" ? document.manifest.annotations?.[PAYLOAD] : undefined;
    const value: unknown = JSON.parse(text ?? "");
    if (isObject(value)) return value;
    throw new Error("it holds no document");
  } catch (error) {
    throw new EngineError("REGISTRY_FAILED", `Cannot read ${name}: ${messageOf(error)}`, {
      fix: "If no build and no cleanup is running, delete this tag",
      cause: error,
    });
  }
}
