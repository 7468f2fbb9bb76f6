import type { RegistryClient } from "./client.ts";
import { listNames } from "./pages.ts";
import { pullScope } from "./scopes.ts";

/**
 * Every tag of a repository, each once, in no particular order (spec.md#listing-tags); none when it does not exist.
 *
 * @throws {RegistryError}
 */
export function listTags(
  client: RegistryClient,
  path: string,
  { signal }: { readonly signal: AbortSignal },
): AsyncIterable<string> {
  return listNames(client, {
    path: `${path}/tags/list`,
    scopes: [pullScope(path)],
    field: "tags",
    doing: `list the tags of ${client.domain}/${path}`,
    signal,
  });
}

/** Every repository that the registry shows to this user (`_catalog`); many registries do not. @throws {RegistryError} */
export function listCatalog(
  client: RegistryClient,
  { signal }: { readonly signal: AbortSignal },
): AsyncIterable<string> {
  return listNames(client, {
    path: "_catalog",
    scopes: ["registry:catalog:*"],
    field: "repositories",
    doing: `list the repositories of ${client.domain}`,
    signal,
  });
}
