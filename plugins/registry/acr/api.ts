import { isDigest, type ListedTag } from "../../../core/contract/plugin.ts";
import { isObject } from "../../../lib/oci/documents.ts";
import { errorWithin } from "../../../lib/registry/answer_error.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { readPages } from "../../../lib/registry/pages.ts";
import { besideV2 } from "../_beside_v2.ts";
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
  const listing = {
    // Oldest first: what is pushed meanwhile comes last.
    path: besideV2(`acr/v1/${path}/_tags?n=1000&orderby=timeasc`),
    scopes: [`repository:${path}:metadata_read`],
    doing,
    signal,
  };
  for await (const page of readPages(client, listing)) {
    if (page.status === 404 && errorWithin(page.text).code !== "") break;
    const json = jsonOf(page, doing);
    const tags = isObject(json) && Array.isArray(json.tags) ? json.tags : [];
    for (const tag of tags.flatMap(readTag)) found.set(tag.tag, tag);
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
