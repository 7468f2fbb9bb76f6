import { EngineError, type RegistryBackend } from "../../../core/contract/plugin.ts";
import { clientFor, createOciBackend } from "../_oci_backend.ts";
import { credentialsFor, reachOf } from "../_credentials.ts";
import type { ProviderRepo } from "../_provider_plugin.ts";
import { registryOrigin } from "../_registry_origin.ts";
import { createQuayApi } from "./api.ts";

/** @throws {EngineError} REPO_INVALID when REPO names a namespace without a repository */
export async function openQuay(repo: ProviderRepo): Promise<RegistryBackend> {
  const { request, domain, path, api } = repo;
  if (!path.includes("/")) {
    throw new EngineError(
      "REPO_INVALID",
      `Cannot use "${request.repo}" as REPO: Quay wants a namespace and a repository, as in ${domain}/${path}/REPOSITORY`,
    );
  }
  const client = await clientFor(request, domain, repo.onWait);
  const quay = createQuayApi({
    ...reachOf(repo),
    client,
    origin: (signal) => api === undefined ? registryOrigin(client, signal) : Promise.resolve(api),
    async token() {
      const found = await credentialsFor(repo);
      if (found?.kind === "basic" && found.username === "$oauthtoken") return found.password;
      return request.env.QUAY_OAUTH_TOKEN || undefined;
    },
  });
  return createOciBackend(client, path, quay);
}
