import { EngineError, type RegistryBackend } from "../../../core/contract/plugin.ts";
import { clientFor, createOciBackend } from "../_oci_backend.ts";
import { credentialsFor, reachOf, secretOf } from "../_credentials.ts";
import type { ProviderRepo } from "../_provider_plugin.ts";
import { createGhcrApi } from "./api.ts";

/** @throws {EngineError} REPO_INVALID when REPO names an owner without a package */
export async function openGhcr(repo: ProviderRepo): Promise<RegistryBackend> {
  const { request, domain, path, api = "https://api.github.com" } = repo;
  if (!path.includes("/")) {
    throw new EngineError(
      "REPO_INVALID",
      `Cannot use "${request.repo}" as REPO: GitHub Packages wants an owner and a package, as in ${domain}/${path}/PACKAGE`,
    );
  }
  const client = await clientFor(request, domain, repo.onWait);
  const token = async () => secretOf(await credentialsFor(repo)) ?? request.env.GITHUB_TOKEN;
  return createOciBackend(client, path, createGhcrApi({ ...reachOf(repo), client, api, token }));
}
