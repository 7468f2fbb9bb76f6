import {
  EngineError,
  type RegistryCapabilities,
  type RemovalOutcome,
  type TagRemoval,
} from "../../../core/contract/plugin.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { RegistryError } from "../../../lib/registry/errors.ts";
import { deleteTag } from "../_delete_tag.ts";
import type { ProviderApi } from "../_oci_backend.ts";
import { gitlabRule } from "./advice.ts";
import { GitlabRest, type GitlabRestOptions } from "./rest.ts";
import { listGitlabTags } from "./tags.ts";

export interface GitlabApiOptions extends GitlabRestOptions {
  readonly client: RegistryClient;
}

type Target = TagRemoval & { readonly path: string; readonly signal: AbortSignal };
/** Undefined: not this way, try the next. */
type Route = (target: Target) => Promise<RemovalOutcome | undefined>;

/**
 * GitLab's registry and its REST API (docs.gitlab.com/api/container_registry). Deleting by digest is never tried: it is slow, takes sibling
 * tags along, and is refused where tags are protected.
 */
export function createGitlabApi(options: GitlabApiOptions): ProviderApi {
  const { client } = options;
  const rest = new GitlabRest(options);
  const routes: readonly Route[] = [
    byRegistry(client, "manifests", "delete"),
    byRegistry(client, "manifests", "*"),
    byRegistry(client, "tags/reference", "delete"),
    byRegistry(client, "tags/reference", "*"),
    ({ path, tag, signal }) => rest.removeTag({ domain: client.domain, path, tag, signal }),
  ];
  // What worked for one tag works for the next.
  let first = 0;
  // Without its metadata database the registry tells names alone, which shows with the first list.
  let listing: RegistryCapabilities["listing"] = "times";
  return {
    kind: "gitlab",
    get capabilities(): RegistryCapabilities {
      return { naming: "nested", nested: true, deletion: "tag", listing, pulls: false };
    },
    // Its garbage collection; deleting by digest is refused where any tag is protected.
    collectsUntagged: true,
    tags: (path, signal) =>
      listGitlabTags(client, path, { signal, onNamesAlone: () => void (listing = "names") }),
    async remove(path, removal, signal) {
      for (let i = first; i < routes.length; i++) {
        const outcome = await routes[i]!({ ...removal, path, signal });
        if (!outcome) continue;
        first = Math.max(first, i);
        return outcome;
      }
      throw new EngineError(
        "REGISTRY_DENIED",
        `Cannot delete tag "${removal.tag}" of ${client.domain}/${path}: neither the registry nor GitLab's API allows it ` +
          "with the credentials known, wanted is a job token of the same project, or an access token with the scope " +
          '"api" of a Developer',
      );
    },
    [Symbol.asyncDispose]: () => rest[Symbol.asyncDispose](),
  };
}

/** Deletes through the registry. Without the right to do so it gives a token that opens nothing. */
function byRegistry(client: RegistryClient, route: string, actions: string): Route {
  return async ({ path, tag, signal }) => {
    try {
      const scope = `repository:${path}:${actions}`;
      const found = await deleteTag(client, {
        path,
        tag,
        route: `${path}/${route}/${tag}`,
        scope,
        ruleWords: gitlabRule,
        signal,
      });
      return found.outcome === "elsewhere" ? undefined : found;
    } catch (error) {
      if (error instanceof RegistryError && error.kind === "denied") return undefined;
      throw error;
    }
  };
}
