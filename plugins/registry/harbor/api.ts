import { EngineError, type ListedTag, type RegistryCapabilities } from "../../../core/contract/plugin.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import type { Credentials } from "../../../lib/registry/docker_config.ts";
import { listTags } from "../../../lib/registry/tags.ts";
import { basicAuthorization } from "../_credentials.ts";
import type { ProviderApi } from "../_oci_backend.ts";
import { ProviderHttp, type ProviderReach } from "../_provider_http.ts";
import { harborAdvice } from "./advice.ts";
import { removeTag, removeUntagged } from "./remove.ts";
import { type HarborRepository, harborRepository } from "./repository.ts";
import { harborAccessories, listHarborTags } from "./tags.ts";

export interface HarborApiOptions extends ProviderReach {
  readonly client: RegistryClient;
  /** Where `/api/v2.0` is. */
  origin(signal: AbortSignal): Promise<string>;
  credentials(): Promise<Credentials | undefined>;
}

/** Harbor's API v2.0 (goharbor/harbor api/v2.0/swagger.yaml): Basic authentication on every call, no cookies. */
export function createHarborApi(options: HarborApiOptions): ProviderApi {
  const { client } = options;
  const { domain } = client;
  const http = new ProviderHttp({
    ...options,
    title: `Harbor at ${domain}`,
    base: async (signal) => `${(await options.origin(signal)).replace(/\/+$/, "")}/api/v2.0`,
    login: () => login(options),
    denied: "wanted is a user or robot with the rights to list and delete artifacts and tags",
    deniedFix: (status) =>
      status === 401
        ? `Log in with: docker login ${domain}`
        : "Give this user or robot the rights artifact:list, artifact:delete, tag:list and tag:delete in the Harbor project",
  });
  const open = (path: string, signal: AbortSignal) => harborRepository(http, { domain, path, signal });
  // Whoever may only push and pull is told names, through the registry; that shows with the first list.
  let listing: Pick<RegistryCapabilities, "listing" | "pulls"> = { listing: "times", pulls: true };
  return {
    kind: "harbor",
    get capabilities(): RegistryCapabilities {
      return { naming: "nested", nested: true, deletion: "tag", ...listing };
    },
    async *tags(path, signal): AsyncGenerator<ListedTag> {
      const repository = open(path, signal);
      const tags = await listHarborTags(repository);
      if (tags === undefined) {
        listing = { listing: "names", pulls: false };
        for await (const tag of listTags(client, path, { signal, pageSize: 100 })) yield { tag };
        return;
      }
      if (tags.length === 0) await checkProject(repository);
      yield* tags;
    },
    remove: (path, removal, signal) => removeTag(open(path, signal), removal),
    async removeUntagged(path, digest, signal) {
      const done = await removeUntagged(open(path, signal), digest);
      if (typeof done === "string") return done === "removed";
      throw new EngineError("REGISTRY_DENIED", `Cannot delete ${domain}/${path}@${digest}: ${done.why}`);
    },
    keepsOverwritten: true,
    referrers: (path, digest, signal) => harborAccessories(open(path, signal), digest),
    advise: (path, error) => harborAdvice(error, { domain, path }),
    [Symbol.asyncDispose]: () => http[Symbol.asyncDispose](),
  };
}

/** Of a project that does not exist Harbor gives an empty list. @throws {EngineError} REPO_INVALID */
async function checkProject({ http, name, project, signal }: HarborRepository): Promise<void> {
  const answer = await http.request({
    method: "GET",
    path: `/projects/${encodeURIComponent(project)}`,
    // A robot may not ask.
    expect: [200, 401, 403, 404],
    doing: `find project ${project}`,
    signal,
  });
  if (answer.status !== 404) return;
  throw new EngineError("REPO_INVALID", `Cannot list tags of ${name}: Harbor has no project "${project}"`, {
    fix: "Create the project in Harbor first, or correct REPO",
  });
}

async function login(
  { credentials, client: { domain } }: HarborApiOptions,
): Promise<Readonly<Record<string, string>>> {
  const found = await credentials();
  if (!found) return {};
  if (found.kind === "basic") return { authorization: basicAuthorization(found.username, found.password) };
  throw new EngineError(
    "REGISTRY_DENIED",
    `Cannot log in to the API of Harbor at ${domain}: a registry or identity token does not open it, wanted are a user ` +
      "name and a password (or secret of a robot)",
    { fix: `Log in with: docker login ${domain}` },
  );
}
