import { readExcerpt } from "./body.ts";
import { errorWithin } from "./answer_error.ts";
import type { RegistryClient } from "./client.ts";
import { RegistryError } from "./errors.ts";
import { deleteScope } from "./scopes.ts";
import type { HttpResponse } from "./http.ts";

/**
 * `absent`: there was none. `unsupported`: not by such a reference, or not at all. `refused`: this one stays, by a rule
 * of the registry.
 */
export type Deletion =
  | { readonly outcome: "deleted" | "absent" }
  | { readonly outcome: "unsupported"; readonly status: number; readonly why: string }
  | { readonly outcome: "refused"; readonly status: number; readonly why: string };

/**
 * Deletes a manifest with all its tags when `reference` is a digest, and one tag when it is a tag, where the registry
 * can do that (spec.md#deleting-tags). Anything but 202 is not taken for a deletion.
 *
 * @throws {RegistryError} denied, when this user may not; failed otherwise
 */
export async function deleteManifest(
  client: RegistryClient,
  path: string,
  { reference, signal }: { readonly reference: string; readonly signal: AbortSignal },
): Promise<Deletion> {
  let response: HttpResponse;
  try {
    response = await client.request({
      method: "DELETE",
      path: `${path}/manifests/${reference}`,
      scopes: [deleteScope(path)],
      small: true,
      expect: [202, 400, 404, 405],
      doing: `delete "${reference}" of ${client.domain}/${path}`,
      signal,
    });
  } catch (error) {
    if (!(error instanceof RegistryError) || error.kind !== "locked") throw error;
    const { status = 0, said = `status ${status}` } = error.details;
    return { outcome: "refused", status, why: said };
  }
  const { status } = response;
  const { code, text } = errorWithin(await readExcerpt(response));
  if (status === 202) return { outcome: "deleted" };
  if (status === 404) return { outcome: "absent" };
  const why = client.redact([code, text].filter((part) => part !== "").join(" ")).slice(0, 300) ||
    `status ${status}`;
  // By digest 400 is a rule about this one: a tag or an index refers to it.
  const outcome = status === 400 && reference.includes(":") ? "refused" : "unsupported";
  return { outcome, status, why };
}
