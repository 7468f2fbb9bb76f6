import { EngineError, type RegistryBackend } from "../../../core/contract/plugin.ts";
import type { RegistryClient } from "../../../lib/registry/client.ts";
import { clientFor, createOciBackend } from "../_oci_backend.ts";
import { credentialsFor, reachOf } from "../_credentials.ts";
import { askRegistry } from "../_detect.ts";
import type { ProviderRepo } from "../_provider_plugin.ts";
import { createGitlabApi } from "./api.ts";
import { gitlabAdvice, LEVELS } from "./advice.ts";

/** Opens a repository of GitLab's registry. */
export async function openGitlab(repo: ProviderRepo): Promise<RegistryBackend> {
  const { request, domain, path } = repo;
  const client = await clientFor(request, domain, repo.onWait);
  const project = projectPath(request.env, domain, path);
  const api = createGitlabApi({
    ...reachOf(repo),
    client,
    credentials: () => credentialsFor(repo),
    gitlab: async () => repo.api ?? await gitlabOf(repo, client),
  });
  return createOciBackend(client, path, {
    ...api,
    // What the registry tells of itself shows later.
    get capabilities() {
      return api.capabilities;
    },
    nameProblem(below) {
      if (project === undefined || levelsBelow(project, below) <= LEVELS) return undefined;
      return {
        why: `GitLab takes at most ${LEVELS} levels below project "${project}"`,
        fix: "Use shorter names, or keep all images in one repository with: --naming flat",
      };
    },
    advise: (below, error) => gitlabAdvice(error, { request, domain, path: below }),
  });
}

/** The path of the project, which only a job of its own pipeline knows for certain. */
function projectPath(
  env: Readonly<Record<string, string | undefined>>,
  domain: string,
  path: string,
): string | undefined {
  const image = env.CI_REGISTRY_IMAGE?.toLowerCase();
  if (!image?.startsWith(`${domain}/`)) return undefined;
  const project = image.slice(domain.length + 1);
  return path === project || path.startsWith(`${project}/`) ? project : undefined;
}

function levelsBelow(project: string, path: string): number {
  return path.slice(project.length).split("/").filter((part) => part !== "").length;
}

/** The origin of GitLab itself: the token server of its registry lives there. */
async function gitlabOf({ request, domain }: ProviderRepo, client: RegistryClient): Promise<string> {
  if (domain === "registry.gitlab.com") return "https://gitlab.com";
  const { CI_REGISTRY, CI_SERVER_URL } = request.env;
  if (CI_SERVER_URL && CI_REGISTRY === domain) return CI_SERVER_URL;
  const { realm } = await askRegistry(request, client);
  if (realm?.endsWith("/jwt/auth")) return realm.slice(0, -"/jwt/auth".length);
  throw new EngineError(
    "REGISTRY_FAILED",
    `Cannot find the GitLab behind registry "${domain}": it names no token server of GitLab`,
    { fix: "Name its URL in the dappfile: plugins: [{ use: registry-gitlab, options: { api: https://… } }]" },
  );
}
