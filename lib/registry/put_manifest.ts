import { digestOf, isDigest } from "../oci/digest.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { lookUpManifest } from "./manifests.ts";
import { backoffMs } from "./retry.ts";
import { pushScope } from "./scopes.ts";

/** A manifest or index, stored byte for byte. */
export interface OutgoingManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
}

/**
 * distribution up to 2.8 writes its links to blobs in place: while somebody else pushes the same blob, it reads an empty
 * link and says that a digest is invalid.
 */
const MISREAD_TRIES = 5;

/**
 * Stores a manifest under a tag or under its own digest (spec.md#pushing-manifests) and gives its digest. What it names
 * must be there; when the registry misses some of it, {@linkcode isBlobUnknown} knows the error. An answer that does not
 * tell the digest is not believed without a look.
 *
 * @throws {RegistryError}; what `check` does, which is called before it is sent after a wait
 */
export async function putManifest(
  client: RegistryClient,
  path: string,
  { manifest, reference, check, signal }: {
    readonly manifest: OutgoingManifest;
    readonly reference: string;
    readonly check?: (() => Promise<void>) | undefined;
    readonly signal: AbortSignal;
  },
): Promise<string> {
  const { bytes, mediaType } = manifest;
  const doing = `store manifest "${reference}" in ${client.domain}/${path}`;
  const digest = await digestOf(bytes);
  const fail = (why: string) => new RegistryError(`Cannot ${doing}: ${why}`, { kind: "corrupt" });
  if (reference.includes(":") && reference !== digest) throw fail(`its digest is ${digest}`);
  const send = () =>
    client.request({
      method: "PUT",
      path: `${path}/manifests/${reference}`,
      scopes: [pushScope(path)],
      headers: { "content-type": mediaType },
      body: bytes,
      small: true,
      expect: [200, 201, 202],
      doing,
      check,
      signal,
    });
  let response = await send().catch(misread);
  for (let attempt = 1; response instanceof RegistryError; attempt++) {
    if (attempt >= MISREAD_TRIES) throw response;
    await client.retry.sleep(backoffMs(attempt), signal);
    await check?.();
    response = await send().catch(misread);
  }
  await response.discard();
  const stored = response.header("docker-content-digest");
  if (!isDigest(stored)) {
    // Somebody else may have answered in its place: a login page, a proxy.
    if (await lookUpManifest(client, path, { reference: digest, signal }) === digest) return digest;
    throw new RegistryError(`Cannot ${doing}: the registry took it, but does not have it`, {
      kind: "failed",
    });
  }
  if (stored !== digest) throw fail(`the registry says its digest is ${stored}, sent was ${digest}`);
  return digest;
}

/** The error, when sending the same once more may help; the digest that was sent is right. */
function misread(error: unknown): RegistryError {
  if (
    error instanceof RegistryError && error.details.status === 400 && error.details.code === "DIGEST_INVALID"
  ) {
    return error;
  }
  throw error;
}
