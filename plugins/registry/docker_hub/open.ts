import { EngineError, type RegistryBackend } from "../../../core/contract/plugin.ts";
import { clientFor, createOciBackend } from "../_oci_backend.ts";
import { credentialsFor, reachOf } from "../_credentials.ts";
import type { ProviderRepo } from "../_provider_plugin.ts";
import { createHubApi } from "./api.ts";

/** Name of a repository; narrower than the grammar of references (docs.docker.com/reference/api/hub/latest). */
const REPOSITORY = /^(?=.{2,255}$)[a-z0-9]+(?:[._-][a-z0-9]+)*$/;

/** @throws {EngineError} REPO_INVALID when REPO has not exactly two levels */
export async function openDockerHub(repo: ProviderRepo): Promise<RegistryBackend> {
  const { request, domain, path, api = "https://hub.docker.com" } = repo;
  const [, name = "", ...more] = path.split("/");
  if (more.length > 0 || !REPOSITORY.test(name)) {
    throw new EngineError(
      "REPO_INVALID",
      `Cannot use "${request.repo}" as REPO: Docker Hub has exactly NAMESPACE/REPOSITORY, of lower-case letters and ` +
        `digits separated by single ".", "_" or "-"`,
      { fix: "Name a repository of two levels; images and stages all go there (--naming flat)" },
    );
  }
  const hub = createHubApi({ ...reachOf(repo), api, credentials: () => credentialsFor(repo) });
  return createOciBackend(await clientFor(request, domain, repo.onWait), path, hub);
}
