import { isDigest, type ListedTag } from "../../../core/plugin.ts";
import { isObject } from "../../../lib/oci/documents.ts";
import { errorWithin } from "../../../lib/registry/answer_error.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { nextPage } from "../../../lib/registry/link.ts";
import { besideV2, requestText } from "../_beside_v2.ts";
import { deleteTag } from "../_delete_tag.ts";
import type { ProviderApi } from "../_oci_backend.ts";
import { jsonOf } from "../_provider_http.ts";

/** Azure's metadata API beside `/v2/` (Azure/acr-cli docs/swagger.yaml), with tokens of the same registry. */
export function createAcrApi(client: RegistryClient): ProviderApi {
  return {
    kind: "acr",
    capabilities: { naming: "nested", nested: true, deletion: "tag", listing: "times", pulls: false },
    tags: (path, signal) => listAcrTags(client, path, signal),
    async remove(path, { tag }, signal) {
      const done = await deleteTag(client, {
        path,
        tag,
        route: besideV2(`acr/v1/${path}/_tags/${tag}`),
        scope: `repository:${path}:metadata_read,delete`,
        signal,
      });
      // There is no other way: 405 means that the tag is locked.
      return done.outcome === "elsewhere"
        ? { outcome: "refused", why: `Azure does not delete it: ${done.why}` }
        : done;
    },
  };
}

async function* listAcrTags(
  client: RegistryClient,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<ListedTag> {
  const doing = `list tags of ${client.domain}/${path}`;
  const found = new Map<string, ListedTag>();
  const asked = new Set<string>();
  // Oldest first: what is pushed meanwhile comes last.
  let page: string | URL | undefined = besideV2(`acr/v1/${path}/_tags?n=1000&orderby=timeasc`);
  while (page !== undefined && !asked.has(String(page))) {
    asked.add(String(page));
    const answer = await requestText(client, {
      method: "GET",
      path: page,
      scopes: [`repository:${path}:metadata_read`],
      expect: [200, 404],
      doing,
      signal,
    });
    if (answer.status === 404 && errorWithin(answer.text).code !== "") break;
    const json = jsonOf(answer, doing);
    const tags = isObject(json) && Array.isArray(json.tags) ? json.tags : [];
    for (const tag of tags.flatMap(readTag)) found.set(tag.tag, tag);
    page = nextPage(answer.header("link"), answer.url);
  }
  yield* found.values();
}

function readTag(value: unknown): ListedTag[] {
  if (!isObject(value) || typeof value.name !== "string") return [];
  const { name, digest, lastUpdateTime, createdTime, changeableAttributes } = value;
  const pushed = lastUpdateTime ?? createdTime;
  const locks = isObject(changeableAttributes) ? changeableAttributes : {};
  const locked = locks.deleteEnabled === false || locks.writeEnabled === false;
  return [{
    tag: name,
    ...(typeof digest === "string" && isDigest(digest) && { digest }),
    ...(typeof pushed === "string" && { pushedAt: pushed }),
    ...(locked && { locked: "it is locked in Azure (az acr repository update --delete-enabled)" }),
  }];
}
