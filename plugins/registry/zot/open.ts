import type { RegistryBackend } from "../../../core/contract/plugin.ts";
import { deleteTag } from "../_delete_tag.ts";
import { clientFor, createOciBackend } from "../_oci_backend.ts";
import type { ProviderRepo } from "../_provider_plugin.ts";
import { deletesNothing } from "../_remove_tag.ts";

/**
 * Opens a repository of zot, which deletes single tags by the protocol of the registry; what loses its last tag goes with
 * zot's own garbage collection.
 */
export async function openZot({ request, domain, path, onWait }: ProviderRepo): Promise<RegistryBackend> {
  const client = await clientFor(request, domain, onWait);
  return createOciBackend(client, path, {
    kind: "zot",
    capabilities: { naming: "nested", nested: true, deletion: "tag", listing: "names", pulls: false },
    async remove(path, { tag }, signal) {
      const done = await deleteTag(client, { path, tag, signal });
      if (done.outcome === "elsewhere") throw deletesNothing(client.domain, done.why);
      return done;
    },
  });
}
