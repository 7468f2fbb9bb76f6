import {
  type Digest,
  EngineError,
  type RemovalOutcome,
  type TagRemoval,
} from "../../../core/contract/plugin.ts";
import { Field } from "../_fields.ts";
import { type ProviderAnswer, saidBy } from "../_provider_http.ts";
import { isReadOnly, READ_ONLY } from "./advice.ts";
import type { HarborRepository } from "./repository.ts";

/**
 * Removes one tag, and the artifact that has lost its last one.
 *
 * @throws {EngineError} REGISTRY_DENIED without the right to delete tags, REGISTRY_UNSUPPORTED in read-only mode
 */
export async function removeTag(repository: HarborRepository, removal: TagRemoval): Promise<RemovalOutcome> {
  const { http, at, name, signal } = repository;
  const { tag, digest, alone } = removal;
  // By digest: a tag that was moved meanwhile is not touched.
  const doing = `delete tag "${tag}" of ${name}`;
  const answer = await http.request({
    method: "DELETE",
    path: `${at}/artifacts/${digest}/tags/${encodeURIComponent(tag)}`,
    expect: [200, 403, 404, 409, 412],
    doing,
    signal,
  });
  if (answer.status === 404) return await whyMissing(repository, tag);
  if (answer.status === 403) throw forbidden(answer, doing, "tag:delete");
  if (answer.status !== 200) {
    return { outcome: "refused", why: `Harbor does not allow it: ${reasonOf(answer)}` };
  }
  if (!alone) return { outcome: "removed", by: "tag" };
  const gone = await removeUntagged(repository, digest);
  if (gone === "removed") return { outcome: "removed", by: "manifest" };
  return { outcome: "removed", by: "tag", ...(typeof gone === "object" && { left: gone.why }) };
}

async function whyMissing(
  { http, at, name, signal }: HarborRepository,
  tag: string,
): Promise<RemovalOutcome> {
  const doing = `look up tag "${tag}" of ${name}`;
  const answer = await http.request({
    method: "GET",
    path: `${at}/artifacts/${encodeURIComponent(tag)}`,
    expect: [200, 403, 404],
    doing,
    signal,
  });
  if (answer.status === 404) return { outcome: "absent" };
  if (answer.status === 403) {
    return { outcome: "refused", why: "Harbor has no such tag at this image any more" };
  }
  const digest = Field.of(answer, doing).member("digest").text();
  return { outcome: "refused", why: `it points at ${digest} now` };
}

/**
 * Deletes an artifact that no tag is at, whose space would not come back otherwise, with its signatures and the parts of
 * an index; `kept` when it has a tag or an index refers to it, or why it stays although nobody needs it.
 */
export async function removeUntagged(
  repository: HarborRepository,
  digest: Digest,
): Promise<"removed" | "kept" | { readonly why: string }> {
  const { http, at, name, signal } = repository;
  const artifact = `${at}/artifacts/${digest}`;
  const doing = `list tags of ${name}@${digest}`;
  const left = await http.request({
    method: "GET",
    path: `${artifact}/tags?page=1&page_size=1`,
    expect: [200, 403, 404],
    doing,
    signal,
  });
  if (left.status === 404) return "removed";
  if (left.status === 403) return { why: rightMissing("tag:list", left) };
  if (Field.of(left, doing).list().length > 0) return "kept";
  const answer = await http.request({
    method: "DELETE",
    path: artifact,
    // An index may refer to it.
    expect: [200, 403, 404, 409, 412],
    doing: `delete ${name}@${digest}`,
    signal,
  });
  if (answer.status === 200 || answer.status === 404) return "removed";
  return answer.status === 403 ? { why: rightMissing("artifact:delete", answer) } : "kept";
}

function forbidden(answer: ProviderAnswer, doing: string, right: string): EngineError {
  return isReadOnly(saidBy(answer))
    ? new EngineError("REGISTRY_UNSUPPORTED", `Cannot ${doing}: ${saidBy(answer)}`, { fix: READ_ONLY })
    : new EngineError("REGISTRY_DENIED", `Cannot ${doing}: ${rightMissing(right, answer)}`, {
      fix: `Give this user or robot the right ${right} in the Harbor project`,
    });
}

function rightMissing(right: string, answer: ProviderAnswer): string {
  return `this user or robot lacks the right ${right} (${reasonOf(answer)})`;
}

function reasonOf(answer: ProviderAnswer): string {
  return saidBy(answer) || `status ${answer.status}`;
}
