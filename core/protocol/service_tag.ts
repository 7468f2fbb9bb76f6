import { isObject } from "../../lib/guard.ts";
import { parseManifest } from "../../lib/oci/documents.ts";
import { EngineError, messageOf } from "../contract/errors.ts";
import { putServiceManifest, serviceManifest } from "./service_manifest.ts";
import type { Repository } from "../contract/registry.ts";

const PAYLOAD = "dapp-service";

/** Writes a small document under a service tag, as an annotation of an image without files. */
async function writeServiceTag(
  repository: Repository,
  tag: string,
  options: { readonly document: unknown; readonly signal: AbortSignal },
): Promise<void> {
  const { document, signal } = options;
  const manifest = await serviceManifest("service", { [PAYLOAD]: JSON.stringify(document) });
  await putServiceManifest(repository, tag, manifest, { signal });
}

/**
 * Like {@linkcode writeServiceTag} for what may be missed for a moment: where tags cannot be overwritten, or there is no
 * room, the one that is there is deleted first. What was overwritten does not stay where somebody would see it.
 */
export async function replaceServiceTag(
  repository: Repository,
  tag: string,
  options: { readonly document: unknown; readonly signal: AbortSignal },
): Promise<void> {
  const { signal } = options;
  const before = repository.dropOverwritten && await repository.head(tag, signal);
  try {
    await writeServiceTag(repository, tag, options);
  } catch (error) {
    if (!isUnwelcome(error) || !await removeServiceTag(repository, tag, signal)) throw error;
    await writeServiceTag(repository, tag, options);
    return;
  }
  if (before === undefined) return;
  try {
    await repository.dropOverwritten?.(before, signal);
  } catch (error) {
    // It takes some space; whoever may not remove it cannot help it.
    if (!(error instanceof EngineError) || signal.aborted) throw error;
  }
}

/** Whether a service tag was not taken, by a rule or for lack of room. */
export function isUnwelcome(error: unknown): boolean {
  return error instanceof EngineError && (error.details.refused === true || error.details.full === true);
}

/** Removes a tag with its image; whether it was there and is not any more. */
export async function removeServiceTag(
  repository: Repository,
  tag: string,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    const digest = await repository.head(tag, signal);
    if (digest === undefined) return false;
    const { outcome } = await repository.remove({ tag, digest, alone: true }, signal);
    return outcome === "removed" || outcome === "absent";
  } catch (error) {
    if (error instanceof EngineError) return false;
    throw error;
  }
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
