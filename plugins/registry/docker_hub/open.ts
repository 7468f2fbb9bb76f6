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
  const [namespace = "", name = "", ...more] = path.split("/");
  const host =
    `a host has a "." or a ":" in it, such as registry.example.com/${name} or localhost:5000/${name}`;
  if (!request.repo.includes("/")) {
    throw new EngineError(
      "REPO_INVALID",
      `Cannot use "${request.repo}" as REPO: without a "/" it is ${domain}/${path}, one of Docker's own images`,
      { fix: `Name a repository of yours on Docker Hub, NAMESPACE/${name}, or one elsewhere: ${host}` },
    );
  }
  if (more.length > 0 || !REPOSITORY.test(name)) {
    throw new EngineError(
      "REPO_INVALID",
      `Cannot use "${request.repo}" as REPO: it is one of Docker Hub, which has exactly NAMESPACE/REPOSITORY, the ` +
        `latter of 2 to 255 lower-case letters and digits separated by single ".", "_" or "-"`,
      {
        fix: request.repo.startsWith(`${domain}/`) || more.length > 0
          ? `Name a repository of two levels; images and stages all go there (--naming flat)${
            request.repo.startsWith(`${domain}/`) ? "" : `. If "${namespace}" is meant as a host: ${host}`
          }`
          : `Use a longer name. If "${namespace}" is meant as a host: ${host}`,
      },
    );
  }
  const hub = createHubApi({ ...reachOf(repo), api, credentials: () => credentialsFor(repo) });
  return createOciBackend(await clientFor(request, domain, repo.onWait), path, hub);
}
