import { EngineError, isDigest, type ListedTag, type RemovalOutcome } from "../../../core/contract/plugin.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { listTags } from "../../../lib/registry/tags.ts";
import { deleteTag } from "../_delete_tag.ts";
import { Field } from "../_fields.ts";
import type { ProviderApi } from "../_oci_backend.ts";
import { ProviderHttp, type ProviderReach, saidBy } from "../_provider_http.ts";
import { deletesNothing } from "../_remove_tag.ts";

export interface QuayApiOptions extends ProviderReach {
  readonly client: RegistryClient;
  /** Where `/api/v1` is. */
  origin(signal: AbortSignal): Promise<string>;
  /** An OAuth access token: robots and users have no access to the API. */
  token(): Promise<string | undefined>;
}

/**
 * Quay (docs.quay.io/api). Its API wants an OAuth token; without one names are listed and tags deleted through the
 * registry, which a robot with the right to write may do.
 */
export function createQuayApi(options: QuayApiOptions): ProviderApi {
  const { client } = options;
  const http = new ProviderHttp({
    ...options,
    title: `Quay at ${client.domain}`,
    base: async (signal) => `${(await options.origin(signal)).replace(/\/+$/, "")}/api/v1`,
    denied:
      "wanted is an OAuth token that may administer the repository ($oauthtoken as user, or QUAY_OAUTH_TOKEN)",
    async login(): Promise<Readonly<Record<string, string>>> {
      const token = await options.token();
      return token === undefined ? {} : { authorization: `Bearer ${token}` };
    },
  });
  return {
    kind: "quay",
    capabilities: { naming: "nested", nested: true, deletion: "tag", listing: "times", pulls: false },
    async *tags(path, signal) {
      if (await options.token() !== undefined) return yield* quayTags(http, { client, path, signal });
      for await (const tag of listTags(client, path, { signal })) yield { tag };
    },
    async remove(path, { tag }, signal) {
      if (await options.token() !== undefined) return await removeByApi(http, { client, path, tag, signal });
      const done = await deleteTag(client, { path, tag, signal });
      if (done.outcome === "elsewhere") throw deletesNothing(client.domain, done.why);
      return done;
    },
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

interface Place {
  readonly client: RegistryClient;
  readonly path: string;
  readonly signal: AbortSignal;
}

/** All pages are read before the first tag is given: deleting shifts pages. */
async function* quayTags(http: ProviderHttp, { client, path, signal }: Place): AsyncGenerator<ListedTag> {
  const doing = `list tags of ${client.domain}/${path}`;
  const found = new Map<string, ListedTag>();
  for (let page = 1;; page++) {
    const answer = await http.request({
      method: "GET",
      path: `/repository/${path}/tag/?onlyActiveTags=true&limit=100&page=${page}`,
      expect: [200, 404],
      doing,
      signal,
    });
    if (answer.status === 404) {
      if (page === 1) break;
      throw new EngineError(
        "REGISTRY_FAILED",
        `Cannot ${doing}: ${answer.from} answered 404 to page ${page}, though there are more tags`,
      );
    }
    const fields = Field.of(answer, doing);
    const rows = fields.member("tags").list().map(readTag);
    for (const tag of rows) found.set(tag.tag, tag);
    const more = fields.member("has_additional").optional((field) => field.flag()) ?? false;
    // What is deleted meanwhile may leave a last page without rows.
    if (!more || rows.length === 0) break;
  }
  yield* found.values();
}

function readTag(row: Field): ListedTag {
  const digest = row.member("manifest_digest").optional((field) => field.text());
  const started = row.member("start_ts").optional((field) => field.number());
  return {
    tag: row.member("name").text(),
    ...(digest !== undefined && isDigest(digest) && { digest }),
    ...(started !== undefined && { pushedAt: new Date(started * 1000).toISOString() }),
  };
}

async function removeByApi(
  http: ProviderHttp,
  { client, path, tag, signal }: Place & { readonly tag: string },
): Promise<RemovalOutcome> {
  const answer = await http.request({
    method: "DELETE",
    path: `/repository/${path}/tag/${encodeURIComponent(tag)}`,
    expect: [200, 204, 400, 403, 404, 405, 409, 412],
    doing: `delete tag "${tag}" of ${client.domain}/${path}`,
    signal,
  });
  if (answer.status < 300) return { outcome: "removed", by: "tag" };
  if (answer.status === 404) return { outcome: "absent" };
  return {
    outcome: "refused",
    why: `Quay does not delete it: ${saidBy(answer) || `status ${answer.status}`}`,
  };
}
