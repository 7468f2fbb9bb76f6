import { isDigest, type ListedTag } from "../../../core/plugin.ts";
import { isObject } from "../../../lib/oci/documents.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { errorWithin } from "../../../lib/registry/answer_error.ts";
import { nextPage } from "../../../lib/registry/link.ts";
import { pullScope } from "../../../lib/registry/scopes.ts";
import { listTags } from "../../../lib/registry/tags.ts";
import { besideV2, requestText } from "../_beside_v2.ts";
import { jsonOf } from "../_provider_http.ts";

/**
 * Tags with digests and times from the registry's metadata database, a thousand at a time
 * (`/gitlab/v1/repositories/PATH/tags/list/`); names alone where there is no such database.
 *
 * @throws {RegistryError}
 */
export async function* listGitlabTags(
  client: RegistryClient,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<ListedTag> {
  const doing = `list tags of ${client.domain}/${path}`;
  const asked = new Set<string>();
  let page: string | URL | undefined = besideV2(`gitlab/v1/repositories/${path}/tags/list/?n=1000`);
  while (page !== undefined && !asked.has(String(page))) {
    asked.add(String(page));
    const answer = await requestText(client, {
      method: "GET",
      path: page,
      scopes: [pullScope(path)],
      expect: [200, 404],
      doing,
      signal,
    });
    if (answer.status === 404) {
      if (errorWithin(answer.text).code === "NAME_UNKNOWN") return;
      if (asked.size === 1) {
        for await (const tag of listTags(client, path, { signal })) yield { tag };
      }
      return;
    }
    const rows = jsonOf(answer, doing);
    if (Array.isArray(rows)) { for (const row of rows) yield* readTag(row); }
    page = nextPage(answer.header("link"), answer.url);
  }
}

function readTag(value: unknown): ListedTag[] {
  if (!isObject(value) || typeof value.name !== "string") return [];
  const { name, digest, published_at, created_at } = value;
  const pushed = published_at ?? created_at;
  return [{
    tag: name,
    ...(typeof digest === "string" && isDigest(digest) && { digest }),
    ...(typeof pushed === "string" && { pushedAt: pushed }),
  }];
}
