import {
  isDigest,
  type ListedTag,
  type RemovalOutcome,
  type TagRemoval,
} from "../../../core/contract/plugin.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { deleteManifest } from "../../../lib/registry/delete_manifest.ts";
import { readPages } from "../../../lib/registry/pages.ts";
import { pullScope } from "../../../lib/registry/scopes.ts";
import { deleteTag } from "../_delete_tag.ts";
import { Field } from "../_fields.ts";
import type { ProviderApi } from "../_oci_backend.ts";
import { deletesNothing } from "../_remove_tag.ts";

/** Google's registries: the list of tags has all manifests with times; a manifest goes only after its tags. */
export function createGarApi(client: RegistryClient): ProviderApi {
  return {
    kind: "gar",
    capabilities: { naming: "nested", nested: true, deletion: "tag", listing: "times", pulls: false },
    tags: (path, signal) => listGarTags(client, path, signal),
    remove: (path, removal, signal) => removeTag(client, { path, removal, signal }),
  };
}

async function* listGarTags(
  client: RegistryClient,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<ListedTag> {
  const doing = `list tags of ${client.domain}/${path}`;
  const found = new Map<string, ListedTag>();
  const listing = { path: `${path}/tags/list`, scopes: [pullScope(path)], doing, signal };
  for await (const page of readPages(client, listing)) {
    if (page.status === 404) break;
    const fields = Field.of(page, doing);
    for (const tag of fields.member("tags").list().map((field) => field.text())) found.set(tag, { tag });
    // Absent where Artifact Registry speaks the protocol alone.
    for (const [digest, facts] of fields.member("manifest").optional((field) => field.entries()) ?? []) {
      for (const tag of readManifest(digest, facts)) found.set(tag.tag, tag);
    }
  }
  yield* found.values();
}

/** A row for each tag of a manifest; times are milliseconds, as strings. */
function readManifest(digest: string, facts: Field): ListedTag[] {
  const uploaded = Number(facts.member("timeUploadedMs").optional((field) => field.text()));
  const pushedAt = uploaded > 0 ? new Date(uploaded).toISOString() : undefined;
  const tags = facts.member("tag").optional((field) => field.list()) ?? [];
  return tags.map((field) => ({
    tag: field.text(),
    ...(isDigest(digest) && { digest }),
    ...(pushedAt !== undefined && { pushedAt }),
  }));
}

async function removeTag(
  client: RegistryClient,
  { path, removal, signal }: {
    readonly path: string;
    readonly removal: TagRemoval;
    readonly signal: AbortSignal;
  },
): Promise<RemovalOutcome> {
  const { tag, digest, alone } = removal;
  const done = await deleteTag(client, { path, tag, signal });
  if (done.outcome === "elsewhere") throw deletesNothing(client.domain, done.why);
  if (done.outcome !== "removed" || !alone) return done;
  // Refused while another tag or an index has it: then it stays, and the tag is gone all the same.
  const manifest = await deleteManifest(client, path, { reference: digest, signal });
  return { outcome: "removed", by: manifest.outcome === "deleted" ? "manifest" : "tag" };
}
