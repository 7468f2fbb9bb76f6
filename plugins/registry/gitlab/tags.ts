import { isDigest, type ListedTag } from "../../../core/contract/plugin.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { errorWithin } from "../../../lib/registry/answer_error.ts";
import { readPages } from "../../../lib/registry/pages.ts";
import { pullScope } from "../../../lib/registry/scopes.ts";
import { listTags } from "../../../lib/registry/tags.ts";
import { besideV2 } from "../_beside_v2.ts";
import { Field } from "../_fields.ts";

/** The most that GitLab's registry gives at once; more is an error. */
const PAGE = 1000;

/**
 * Tags with digests and times from the registry's metadata database, a thousand at a time
 * (`/gitlab/v1/repositories/PATH/tags/list/`); names alone where there is no such database.
 *
 * @throws {RegistryError}
 */
export async function* listGitlabTags(
  client: RegistryClient,
  path: string,
  { signal, onNamesAlone }: { readonly signal: AbortSignal; readonly onNamesAlone: () => void },
): AsyncGenerator<ListedTag> {
  const doing = `list tags of ${client.domain}/${path}`;
  const listing = {
    path: besideV2(`gitlab/v1/repositories/${path}/tags/list/?n=${PAGE}`),
    scopes: [pullScope(path)],
    probe: true,
    doing,
    signal,
  } as const;
  let first = true;
  for await (const page of readPages(client, listing)) {
    if (page.status === 404) {
      if (first && errorWithin(page.text).code !== "NAME_UNKNOWN") {
        onNamesAlone();
        for await (const tag of listTags(client, path, { signal, pageSize: PAGE })) yield { tag };
      }
      return;
    }
    first = false;
    yield* Field.of(page, doing).list().map(readTag);
  }
}

function readTag(row: Field): ListedTag {
  const digest = row.member("digest").optional((field) => field.matching(isDigest, "a digest"));
  const time = (name: string) => row.member(name).optional((field) => field.text());
  const pushedAt = time("published_at") ?? time("created_at");
  return {
    tag: row.member("name").text(),
    ...(digest !== undefined && { digest }),
    ...(pushedAt !== undefined && { pushedAt }),
  };
}
