import { MAX_DOCUMENT } from "../oci/documents.ts";
import { isSha256, sha256Of } from "../oci/digest.ts";
import { MANIFEST_TYPES, plainType } from "../oci/media_type.ts";
import { readBody } from "./body.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { backoffMs } from "./retry.ts";
import { pullScope } from "./scopes.ts";

/** A manifest or index as delivered; the bytes are verified. */
export interface DeliveredManifest {
  readonly digest: string;
  readonly bytes: Uint8Array;
  /** Undefined when the registry said nothing useful. */
  readonly mediaType: string | undefined;
}

const MISMATCH_TRIES = 3;

/**
 * The digest behind a tag, by HEAD; by GET when the registry does not tell.
 *
 * @throws {RegistryError} missing, when there is no such tag or repository
 */
export async function headManifest(
  client: RegistryClient,
  path: string,
  options: { readonly reference: string; readonly signal: AbortSignal },
): Promise<string> {
  // HEAD has no body: the reason of a failure comes with GET.
  return await lookUpManifest(client, path, options) ?? (await getManifest(client, path, options)).digest;
}

/**
 * The digest behind a tag, or of a digest that is there; undefined when there is none. One HEAD, and a GET when the
 * registry does not tell by HEAD.
 *
 * @throws {RegistryError}
 */
export async function lookUpManifest(
  client: RegistryClient,
  path: string,
  options: { readonly reference: string; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const { reference, signal } = options;
  const response = await client.request({
    method: "HEAD",
    path: `${path}/manifests/${reference}`,
    scopes: [pullScope(path)],
    headers: { accept: MANIFEST_TYPES.join(", ") },
    expect: [200, 404, 405],
    small: true,
    doing: `look up "${reference}" of ${client.domain}/${path}`,
    signal,
  });
  await response.discard();
  if (response.status === 404) return undefined;
  const digest = response.status === 200 ? response.header("docker-content-digest") : undefined;
  if (isSha256(digest)) return digest;
  return (await findManifest(client, path, options))?.digest;
}

/**
 * A manifest by tag or digest, with verified bytes (spec.md#pulling-manifests).
 *
 * @throws {RegistryError} missing; corrupt, when the content repeatedly differs from its digest
 */
export async function getManifest(
  client: RegistryClient,
  path: string,
  { reference, signal }: { readonly reference: string; readonly signal: AbortSignal },
): Promise<DeliveredManifest> {
  const doing = `read manifest "${reference}" of ${client.domain}/${path}`;
  for (let attempt = 1;; attempt++) {
    const response = await client.request({
      method: "GET",
      path: `${path}/manifests/${reference}`,
      scopes: [pullScope(path)],
      headers: { accept: MANIFEST_TYPES.join(", "), "accept-encoding": "identity" },
      expect: [200],
      small: true,
      doing,
      signal,
    });
    const problem = await takeManifest(response, reference);
    if (!("why" in problem)) return problem;
    if (attempt === MISMATCH_TRIES) {
      throw new RegistryError(`Cannot ${doing}: ${problem.why}`, {
        kind: "corrupt",
        method: "GET",
        status: 200,
      });
    }
    await client.retry.sleep(backoffMs(attempt), signal);
  }
}

/** Like {@linkcode getManifest}; undefined when there is no such tag, digest or repository. @throws {RegistryError} */
export async function findManifest(
  client: RegistryClient,
  path: string,
  options: { readonly reference: string; readonly signal: AbortSignal },
): Promise<DeliveredManifest | undefined> {
  try {
    return await getManifest(client, path, options);
  } catch (error) {
    if (error instanceof RegistryError && error.kind === "missing") return undefined;
    throw error;
  }
}

async function takeManifest(
  response: Awaited<ReturnType<RegistryClient["request"]>>,
  reference: string,
): Promise<DeliveredManifest | { readonly why: string }> {
  let bytes: Uint8Array;
  try {
    bytes = await readBody(response, MAX_DOCUMENT);
  } catch (error) {
    if (!(error instanceof RegistryError) || !error.details.retryable) throw error;
    return { why: error.message };
  }
  const digest = await sha256Of(bytes);
  const wanted = reference.includes(":") ? reference : response.header("docker-content-digest");
  if (isSha256(wanted) && wanted !== digest) return { why: `its digest is ${digest}, wanted is ${wanted}` };
  return { digest, bytes, mediaType: plainType(response.header("content-type")) };
}
