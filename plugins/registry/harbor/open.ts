import { EngineError, type RegistryBackend } from "../../../core/contract/plugin.ts";
import { clientFor, createOciBackend } from "../_oci_backend.ts";
import { credentialsFor, reachOf } from "../_credentials.ts";
import type { ProviderRepo } from "../_provider_plugin.ts";
import { registryOrigin } from "../_registry_origin.ts";
import { createHarborApi } from "./api.ts";

/** @throws {EngineError} REPO_INVALID when REPO names a project without a repository */
export async function openHarbor(repo: ProviderRepo): Promise<RegistryBackend> {
  const { request, domain, path, api } = repo;
  if (!path.includes("/")) {
    throw new EngineError(
      "REPO_INVALID",
      `Cannot use "${request.repo}" as REPO: Harbor wants a project and a repository, as in ${domain}/PROJECT/${path}`,
      { fix: "Name a repository below a project that exists" },
    );
  }
  const client = await clientFor(request, domain, repo.onWait);
  const harbor = createHarborApi({
    ...reachOf(repo),
    client,
    origin: (signal) => api === undefined ? registryOrigin(client, signal) : Promise.resolve(api),
    credentials: () => credentialsFor(repo),
  });
  return createOciBackend(client, path, harbor);
}
