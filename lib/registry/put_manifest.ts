import { isSha256, sha256Of } from "../oci/digest.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { pushScope } from "./scopes.ts";

/** A manifest or index, stored byte for byte. */
export interface OutgoingManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/**
 * Stores a manifest under a tag or under its own digest (spec.md#pushing-manifests) and gives its digest. What it names
 * must be there; when the registry misses some of it, {@linkcode isBlobUnknown} knows the error.
 *
 * @throws {RegistryError}
 */
export async function putManifest(
  client: RegistryClient,
  path: string,
  { manifest, reference, signal }: {
    readonly manifest: OutgoingManifest;
    readonly reference: string;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const { bytes, mediaType } = manifest;
  const doing = `store manifest "${reference}" in ${client.domain}/${path}`;
  const digest = await sha256Of(bytes);
  const fail = (why: string) => new RegistryError(`Cannot ${doing}: ${why}`, { kind: "corrupt" });
  if (reference.includes(":") && reference !== digest) throw fail(`its digest is ${digest}`);
  const response = await client.request({
    method: "PUT",
    path: `${path}/manifests/${reference}`,
    scopes: [pushScope(path)],
    headers: { "content-type": mediaType },
    body: bytes,
    small: true,
    expect: [200, 201, 202],
    doing,
    signal,
  });
  await response.discard();
  const stored = response.header("docker-content-digest");
  if (isSha256(stored) && stored !== digest) {
    throw fail(`the registry says its digest is ${stored}, sent was ${digest}`);
  }
  return digest;
}
