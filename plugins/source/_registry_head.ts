import { type Digest, EngineError } from "../../core/contract/plugin.ts";
import type { Reference } from "../../lib/oci/reference.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import { adviceFor } from "../../lib/registry/advice.ts";
import { RegistryError } from "../../lib/registry/errors.ts";
import { headManifest } from "../../lib/registry/manifests.ts";

/**
 * The digest that a tag points at now: all that a build without changes asks, which is why it is apart from what
 * reads images.
 */
export async function headDigest(
  client: RegistryClient,
  reference: Reference,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<Digest> {
  const { path, tag = "latest" } = reference;
  return await askRegistry(reference, name, () => headManifest(client, path, { reference: tag, signal }));
}

/**
 * Runs `action`; what a registry refuses becomes an error of the engine.
 *
 * @param name as the dappfile says it
 * @param fix what to do when the registry does not have it
 * @throws {EngineError} SOURCE_NOT_FOUND, REGISTRY_DENIED, REGISTRY_FAILED
 */
export async function askRegistry<T>(
  { domain }: Reference,
  name: string,
  action: () => Promise<T>,
  fix?: string,
): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const missing = error.kind === "missing";
    const code = missing
      ? "SOURCE_NOT_FOUND"
      : error.kind === "denied"
      ? "REGISTRY_DENIED"
      : "REGISTRY_FAILED";
    const advice = missing ? fix : adviceFor(error, {
      domain,
      name: `"${name}" in the dappfile`,
      login: "--registry-username and the password",
      insecure: "--insecure-registry",
    });
    const named =
      advice !== undefined && error.kind === "denied" && !error.details.given && !error.details.fix
        ? `Check the name "${name}"; ${advice.charAt(0).toLowerCase()}${advice.slice(1)}`
        : advice;
    throw new EngineError(code, error.message, { cause: error, ...(named && { fix: named }) });
  }
}
