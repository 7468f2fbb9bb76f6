import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { pushScope } from "./scopes.ts";
import type { Digest } from "../oci/digest.ts";

/**
 * Whether a repository has a blob. An answer that leads to storage says yes: the address there may be good for reading
 * only. Asked with the right to store, which comes next. A refusal says no: what comes next works, or gives the reason,
 * which answers to HEAD do not have.
 *
 * @throws {RegistryError} when there is no answer, or none for now
 */
export async function hasBlob(
  client: RegistryClient,
  path: string,
  { digest, signal }: { readonly digest: Digest; readonly signal: AbortSignal },
): Promise<boolean> {
  try {
    const response = await client.request({
      method: "HEAD",
      path: `${path}/blobs/${digest}`,
      scopes: [pushScope(path)],
      expect: [200, 301, 302, 303, 307, 308, 404],
      follow: false,
      small: true,
      doing: `look up blob ${digest} of ${client.domain}/${path}`,
      signal,
    });
    await response.discard();
    return response.status !== 404;
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    const { method, status, retryable } = error.details;
    if (method === "HEAD" && status !== undefined && !retryable) return false;
    throw error;
  }
}
