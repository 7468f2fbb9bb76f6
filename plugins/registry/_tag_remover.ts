import type { RemovalOutcome, TagRemoval } from "../../core/contract/plugin.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";

/** Removes one tag of a repository. */
export type TagRemover = (
  path: string,
  removal: TagRemoval,
  signal: AbortSignal,
) => Promise<RemovalOutcome>;

/** Removes tags through the OCI protocol alone; what it learns about the registry it keeps. */
export function createTagRemover(client: RegistryClient): TagRemover {
  let remover: Promise<TagRemover> | undefined;
  return async (path, removal, signal) => {
    remover ??= import("./_remove_tag.ts")
      .then(({ ProtocolRemover }) => {
        const made = new ProtocolRemover(client);
        return (...args) => made.remove(...args);
      });
    return await (await remover)(path, removal, signal);
  };
}
