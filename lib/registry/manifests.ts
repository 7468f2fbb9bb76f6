import { MAX_DOCUMENT } from "../oci/documents.ts";
import { type Digest, digestOf, isDigest } from "../oci/digest.ts";
import { isObject } from "../guard.ts";
import { isSchema1, MANIFEST_TYPES, plainType } from "../oci/media_type.ts";
import { readBody } from "./body.ts";
import { watching } from "../watch.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { backoffMs } from "./retry.ts";
import { pullScope } from "./scopes.ts";
import type { HttpResponse } from "./http.ts";

/**
 * A manifest or index as delivered. The bytes are verified, but for those of Docker's schema 1: its digests leave out the
 * signatures that are part of it, and nobody reads more of it than what it is.
 */
export interface DeliveredManifest {
  readonly digest: Digest;
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
): Promise<Digest> {
  // HEAD has no body: the reason of a failure comes with GET.
  return await lookUpManifest(client, path, options) ?? (await getManifest(client, path, options)).digest;
}

/**
 * The digest behind a tag, or of a digest that is there; undefined when there is none. One HEAD; a GET as well when the
 * registry does not tell by HEAD, refuses it, or is not known to tell the same by both.
 *
 * @throws {RegistryError} with the reason that a registry gives to GET alone
 */
export async function lookUpManifest(
  client: RegistryClient,
  path: string,
  options: { readonly reference: string; readonly signal: AbortSignal },
): Promise<Digest | undefined> {
  const { heads } = client;
  const head = heads.useless ? undefined : await askByHead(client, path, options);
  if (head?.status === 200) {
    const digest = head.header("docker-content-digest");
    if (isDigest(digest)) {
      heads.found();
      watching()?.found(client.domain, path, options.reference, digest);
      return digest;
    }
  }
  let found: DeliveredManifest | undefined;
  if (head?.status === 404) {
    const missing = await heads.believes(head, async () => {
      const answer = await readManifest(client, path, options);
      if (!("digest" in answer)) return answer;
      found = answer;
      return undefined;
    });
    if (missing) return undefined;
  }
  found ??= await findManifest(client, path, options);
  if (found && head?.status !== 200 && !heads.useless && head?.passing !== true) await heads.misled();
  return found?.digest;
}

/** What came of HEAD. */
interface HeadAnswer {
  readonly status: number;
  /** The failure may be gone the next time. */
  readonly passing?: boolean;
  header(name: string): string | undefined;
}

/** Its failures have no body that says why: GET, which comes next, has. */
async function askByHead(
  client: RegistryClient,
  path: string,
  { reference, signal }: { readonly reference: string; readonly signal: AbortSignal },
): Promise<HeadAnswer> {
  try {
    const response = await client.request({
      method: "HEAD",
      path: `${path}/manifests/${reference}`,
      scopes: [pullScope(path)],
      headers: { accept: MANIFEST_TYPES.join(", ") },
      expect: [200, 404],
      // GET is patient.
      repeatable: false,
      small: true,
      doing: `look up "${reference}" of ${client.domain}/${path}`,
      signal,
    });
    await response.discard();
    return response;
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const { kind, status, method, retryable = false } = error.details;
    // Nobody got as far as asking: no login, no way there, a redirect that is not followed.
    const asked = status !== undefined && method === "HEAD" && kind !== "refused";
    if (!asked && !retryable) throw error;
    // A page that says 404 tells nothing of the tag.
    const told = status === 404 ? 0 : status ?? 0;
    return { status: told, passing: retryable && told !== 0, header: () => undefined };
  }
}

/**
 * A manifest by tag or digest, with verified bytes (spec.md#pulling-manifests).
 *
 * @throws {RegistryError} missing; corrupt, when the content repeatedly differs from its digest
 */
export async function getManifest(
  client: RegistryClient,
  path: string,
  options: { readonly reference: string; readonly signal: AbortSignal },
): Promise<DeliveredManifest> {
  const answer = await readManifest(client, path, options, [200]);
  if ("digest" in answer) return answer;
  throw new Error(`status ${answer.status} was not asked for`);
}

/** Like {@linkcode getManifest}; undefined when there is no such tag, digest or repository. @throws {RegistryError} */
export async function findManifest(
  client: RegistryClient,
  path: string,
  options: { readonly reference: string; readonly signal: AbortSignal },
): Promise<DeliveredManifest | undefined> {
  const answer = await readManifest(client, path, options);
  return "digest" in answer ? answer : undefined;
}

/** The manifest, or the answer that says that there is none. */
async function readManifest(
  client: RegistryClient,
  path: string,
  { reference, signal }: { readonly reference: string; readonly signal: AbortSignal },
  expect: readonly number[] = [200, 404],
): Promise<DeliveredManifest | HttpResponse> {
  const doing = `read manifest "${reference}" of ${client.domain}/${path}`;
  for (let attempt = 1;; attempt++) {
    const response = await client.request({
      method: "GET",
      path: `${path}/manifests/${reference}`,
      scopes: [pullScope(path)],
      headers: { accept: MANIFEST_TYPES.join(", "), "accept-encoding": "identity" },
      expect,
      small: true,
      doing,
      signal,
    });
    if (response.status === 404) {
      await response.discard();
      return response;
    }
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

async function takeManifest(
  response: HttpResponse,
  reference: string,
): Promise<DeliveredManifest | { readonly why: string }> {
  let bytes: Uint8Array;
  try {
    bytes = await readBody(response, MAX_DOCUMENT);
  } catch (error) {
    if (!(error instanceof RegistryError) || !error.details.retryable) throw error;
    return { why: error.message };
  }
  const digest = await digestOf(bytes);
  const wanted = reference.includes(":") ? reference : response.header("docker-content-digest");
  const mediaType = plainType(response.header("content-type"));
  if (!isDigest(wanted)) {
    return isDocument(bytes)
      ? { digest, bytes, mediaType }
      : { why: "what was sent is no manifest, and names no digest" };
  }
  if (wanted === digest) return { digest, bytes, mediaType };
  if (isSchema1(mediaType)) return { digest: wanted, bytes, mediaType };
  return { why: `its digest is ${digest}, wanted is ${wanted}` };
}

/** Whether it begins to look like a manifest: what stands in place of a registry, such as a login page, does not. */
function isDocument(bytes: Uint8Array): boolean {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return isObject(value) && "schemaVersion" in value;
  } catch {
    return false;
  }
}
