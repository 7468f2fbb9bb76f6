import type { RemovalOutcome } from "../../core/contract/plugin.ts";
import { errorWithin } from "../../lib/registry/answer_error.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import { RegistryError } from "../../lib/registry/errors.ts";
import { deleteScope } from "../../lib/registry/scopes.ts";
import { requestText, type TextAnswer } from "./_beside_v2.ts";
import { saidBy } from "./_provider_http.ts";

/** `elsewhere`: this registry does not delete tags that way; nothing was deleted. */
export type DeleteOutcome = RemovalOutcome | { readonly outcome: "elsewhere"; readonly why: string };

/** Words for the code of a rule that keeps a tag; undefined: what the registry says will do. */
type RuleWords = (code: string) => string | undefined;

export interface DeleteTag {
  /** Of the repository. */
  readonly path: string;
  readonly tag: string;
  /** Below `/v2/`. @default PATH/manifests/TAG */
  readonly route?: string;
  /** Token scope. @default `repository:PATH:delete` */
  readonly scope?: string;
  readonly ruleWords?: RuleWords;
  readonly signal: AbortSignal;
}

const GONE = ["MANIFEST_UNKNOWN", "NAME_UNKNOWN", "TAG_UNKNOWN", "TAG_EXPIRED", "NOT_FOUND"];
const OTHER_WAY = ["DIGEST_INVALID", "UNSUPPORTED", ""];

/**
 * Deletes one tag by `DELETE /v2/PATH/manifests/TAG` (spec.md#deleting-tags), which leaves other tags of its manifest.
 * What the registry gives as its reason decides whether the tag stays or another way is worth a try.
 *
 * @throws {RegistryError} denied, when the registry gives no token for it
 */
export async function deleteTag(client: RegistryClient, deletion: DeleteTag): Promise<DeleteOutcome> {
  const { path, tag, route = `${path}/manifests/${tag}`, scope = deleteScope(path), signal } = deletion;
  let answer: TextAnswer;
  try {
    answer = await requestText(client, {
      method: "DELETE",
      path: route,
      scopes: [scope],
      expect: [200, 202, 204, 400, 403, 404, 405],
      doing: `delete tag "${tag}" of ${client.domain}/${path}`,
      signal,
    });
  } catch (error) {
    if (!(error instanceof RegistryError) || error.kind !== "locked") throw error;
    const { code = "", said = error.message } = error.details;
    const words = deletion.ruleWords?.(code);
    return { outcome: "refused", why: words === undefined ? said : `${words} (${said})` };
  }
  const { status } = answer;
  if (status < 300) return { outcome: "removed", by: "tag" };
  const { code } = errorWithin(answer.text);
  const why = saidBy(answer) || `${client.domain} answered ${status}`;
  if (status === 404) return GONE.includes(code) ? { outcome: "absent" } : { outcome: "elsewhere", why };
  const otherWay = (status === 400 || status === 405) && OTHER_WAY.includes(code);
  return { outcome: otherWay ? "elsewhere" : "refused", why };
}
