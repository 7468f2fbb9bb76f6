import { isObject } from "../../lib/guard.ts";
import type {
  Digest,
  ListedTag,
  RegistryBackend,
  RegistryCapabilities,
  RegistryRequest,
  RemovalOutcome,
  TagRemoval,
} from "../../core/contract/plugin.ts";
import { EngineError, messageOf } from "../../core/contract/errors.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";
import type { RegistryError } from "../../lib/registry/errors.ts";
import type { Advise } from "./_explain.ts";
import { takeClient } from "./_kept_clients.ts";
import { OciRepository } from "./_oci_repository.ts";
import { takeBegun } from "./_reach.ts";
import { parseRepo } from "./_repo.ts";
import { createTagRemover, type TagRemover } from "./_tag_remover.ts";

/** What a provider's own API replaces. Paths are those of repositories, without host. */
export interface ProviderApi {
  readonly kind: string;
  readonly capabilities: RegistryCapabilities;
  /** Lists tags; without it the registry's own list of names is taken. */
  tags?(path: string, signal: AbortSignal): AsyncIterable<ListedTag>;
  /** Removes one tag and nothing else; without it the generic way is taken. */
  remove?(path: string, removal: TagRemoval, signal: AbortSignal): Promise<RemovalOutcome>;
  /** Whether manifests without tags go by themselves, so that nobody need remove them. @default false */
  readonly collectsUntagged?: boolean;
  /** Removes a manifest that no tag is at, in place of the protocol. */
  removeUntagged?(path: string, digest: Digest, signal: AbortSignal): Promise<boolean>;
  /** Manifests that refer to one and are removed along with it. */
  referrers?(path: string, digest: Digest, signal: AbortSignal): Promise<readonly Digest[]>;
  /** Whether a manifest whose tag is overwritten stays, is shown and counts: then it is removed by who overwrote it. */
  readonly keepsOverwritten?: boolean;
  /** Why a repository below REPO cannot be, and what to do. */
  nameProblem?(path: string): { readonly why: string; readonly fix: string } | undefined;
  /** What to do about a failure of the registry itself. */
  advise?(path: string, ...args: Parameters<Advise>): ReturnType<Advise>;
  [Symbol.asyncDispose]?(): Promise<void>;
}

/** What can be said of every registry that speaks the protocol, before anything is tried. */
export const OCI_CAPABILITIES: RegistryCapabilities = {
  naming: "nested",
  nested: true,
  deletion: "unknown",
  listing: "names",
  pulls: false,
};

const MEMO = "registry-host";

/**
 * Serves the repositories at and below `path` of a registry, through its OCI protocol and what the provider's own API
 * does better. The backend owns client and provider: both go when it is disposed of.
 */
export function createOciBackend(
  client: RegistryClient,
  path: string,
  provider: ProviderApi,
): RegistryBackend {
  const remover = createTagRemover(client);
  const repositories = new Map<string, OciRepository>();
  return {
    kind: provider.kind,
    // What a provider's registry can do may show with its first answer.
    get capabilities() {
      const { atOnce, clockOffMs } = client;
      return { ...provider.capabilities, atOnce, ...(clockOffMs !== undefined && { clockOffMs }) };
    },
    repository(name) {
      const full = name === "" ? path : repositoryPath(`${client.domain}/${path}`, name, provider);
      let repository = repositories.get(full);
      if (!repository) {
        repository = new OciRepository({ client, path: full, ...withProvider(provider, full, remover) });
        repositories.set(full, repository);
      }
      return repository;
    },
    async [Symbol.asyncDispose]() {
      try {
        await provider[Symbol.asyncDispose]?.();
      } finally {
        await client[Symbol.asyncDispose]();
      }
    },
  };
}

function withProvider(provider: ProviderApi, path: string, generic: TagRemover) {
  return {
    collectsUntagged: provider.collectsUntagged ?? false,
    keepsOverwritten: provider.keepsOverwritten ?? false,
    ...(provider.referrers && {
      referrers: (digest: Digest, signal: AbortSignal) => provider.referrers!(path, digest, signal),
    }),
    ...(provider.removeUntagged && {
      removeUntagged: (digest: Digest, signal: AbortSignal) => provider.removeUntagged!(path, digest, signal),
    }),
    ...(provider.advise && { advise: (error: RegistryError) => provider.advise!(path, error) }),
    ...(provider.tags && { tags: (signal: AbortSignal) => provider.tags!(path, signal) }),
    remove: (removal: TagRemoval, signal: AbortSignal) =>
      provider.remove ? provider.remove(path, removal, signal) : generic(path, removal, signal),
  };
}

function repositoryPath(above: string, name: string, provider: ProviderApi): string {
  const fail = (why: string, fix = "Keep all images in one repository with: --naming flat") =>
    new EngineError("REGISTRY_UNSUPPORTED", `Cannot use repository "${above}/${name}": ${why}`, { fix });
  if (!provider.capabilities.nested) throw fail("the registry has no repositories below another");
  let path: string;
  try {
    ({ path } = parseRepo(`${above}/${name}`));
  } catch (error) {
    throw fail(messageOf(error).replace(/^[^:]*".*?": /, ""));
  }
  const problem = provider.nameProblem?.(path);
  if (problem) throw fail(problem.why, problem.fix);
  return path;
}

/** What a client tells about waiting; see `RegistryClientOptions.onWait`. */
export type OnWait = NonNullable<ConstructorParameters<typeof RegistryClient>[1]["onWait"]>;

/**
 * A client for a host, reached as the user wants it: the one that has found out what registry it is, or a new one. The login given on the command line is shown to the host of REPO
 * alone; other hosts get what is known of them elsewhere.
 *
 * @param onWait told when the registry makes requests wait
 */
export async function clientFor(
  request: RegistryRequest,
  domain: string,
  onWait?: OnWait,
): Promise<RegistryClient> {
  const kept = takeClient(request, domain);
  if (kept) return kept;
  const { RegistryClient } = await import("../../lib/registry/client.ts");
  const { access, env, memo, writes } = request;
  const { username, password } = access;
  const { domain: ownDomain, path: origin } = parseRepo(request.repo);
  const own = ownDomain === domain;
  const transport = takeBegun(request, domain);
  return new RegistryClient(domain, {
    env,
    insecure: access.insecure,
    ...(transport && { transport }),
    ...(own && writes && { writes, origin }),
    memo: { get: (key) => memo.get(MEMO, key, isObject), put: (key, value) => memo.put(MEMO, key, value) },
    ...(own && username !== undefined && password !== undefined && { login: { username, password } }),
    ...(onWait && { onWait }),
  });
}
