import { isObject, parseManifest } from "../../lib/oci/documents.ts";
import { EngineError, messageOf } from "../contract/errors.ts";
import { putServiceManifest, serviceManifest } from "./service_manifest.ts";
import type { Repository } from "../contract/registry.ts";

const PAYLOAD = "dapp-service";

/** Writes a small document under a service tag, as an annotation of an image without files. */
export async function writeServiceTag(
  repository: Repository,
  tag: string,
  options: { readonly document: unknown; readonly signal: AbortSignal },
): Promise<void> {
  const { document, signal } = options;
  const manifest = await serviceManifest("service", { [PAYLOAD]: JSON.stringify(document) });
  await putServiceManifest(repository, tag, manifest, signal);
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
