import { isDigest, type ListedTag } from "../../../core/contract/plugin.ts";
import { errorWithin } from "../../../lib/registry/answer_error.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { readPages } from "../../../lib/registry/pages.ts";
import { besideV2 } from "../_beside_v2.ts";
import { deleteTag } from "../_delete_tag.ts";
import { Field } from "../_fields.ts";
import type { ProviderApi } from "../_oci_backend.ts";

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
    for (const tag of Field.of(page, doing).member("tags").list().map(readTag)) found.set(tag.tag, tag);
  }
  yield* found.values();
}

function readTag(row: Field): ListedTag {
  const text = (name: string) => row.member(name).optional((field) => field.text());
  const digest = text("digest");
  const pushedAt = text("lastUpdateTime") ?? text("createdTime");
  const locks = row.member("changeableAttributes").optional((field) => field);
  const allows = (name: string) => locks?.member(name).optional((field) => field.flag()) ?? true;
  const locked = !allows("deleteEnabled") || !allows("writeEnabled");
  return {
    tag: row.member("name").text(),
    ...(digest !== undefined && isDigest(digest) && { digest }),
    ...(pushedAt !== undefined && { pushedAt }),
    ...(locked && { locked: "it is locked in Azure (az acr repository update --delete-enabled)" }),
  };
}
