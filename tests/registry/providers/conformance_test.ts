/** Every provider's backend does what every backend must do. */
import type { Plugin, RegistryRequest } from "../../../core/contract/plugin.ts";
import type { ProviderOptions } from "../../../plugins/registry/_provider_plugin.ts";
import {
  registryAcr,
  registryDockerHub,
  registryGar,
  registryGhcr,
  registryGitlab,
  registryHarbor,
  registryQuay,
  registryZot,
} from "../../../plugins/registry/providers.ts";
import { MemoryRegistry } from "../../../testing/memory_registry/registry.ts";
import { registryRequest } from "../../support/registry_request.ts";
import { registryConformance, type RegistrySubject } from "../../../testing/registry_conformance.ts";
import { startAcr } from "./acr_server.ts";
import { googleRules } from "./gar_server.ts";
import { startGithub } from "./ghcr_server.ts";
import { GitlabServer } from "./gitlab_server.ts";
import { HarborServer } from "./harbor_server.ts";
import { startHub } from "./hub_server.ts";
import { startQuay } from "./quay_server.ts";
import { opened } from "./support.ts";

interface Setting {
  readonly repo: string;
  readonly changes: Partial<RegistryRequest>;
  readonly options?: ProviderOptions;
  readonly servers: readonly AsyncDisposable[];
}

async function subject(plugin: Plugin<ProviderOptions>, setting: Setting): Promise<RegistrySubject> {
  const backend = await opened(plugin, registryRequest(setting.repo, setting.changes), setting.options);
  return {
    backend,
    async [Symbol.asyncDispose]() {
      await backend[Symbol.asyncDispose]();
      for (const server of setting.servers) await server[Symbol.asyncDispose]();
    },
  };
}

const access = (username: string, password: string) => ({ access: { username, password, insecure: [] } });

registryConformance("registry-docker-hub", async () => {
  const registry = new MemoryRegistry();
  registry.deletion = "tags";
  const hub = await startHub(registry);
  return await subject(registryDockerHub, {
    repo: `${registry.host}/me/app`,
    changes: { kind: "docker-hub", ...access("me", "dckr_pat_x") },
    options: { api: hub.url },
    servers: [registry, hub],
  });
});

registryConformance("registry-gitlab", async () => {
  const gitlab = await GitlabServer.start();
  return await subject(registryGitlab, {
    repo: `${gitlab.host}/group/project`,
    changes: access("me", "glpat-x"),
    servers: [gitlab],
  });
});

registryConformance("registry-harbor", async () => {
  const harbor = await HarborServer.start();
  return await subject(registryHarbor, {
    repo: `${harbor.host}/lib/app`,
    changes: access("robot$lib+ci", "secret"),
    servers: [harbor],
  });
});

registryConformance("registry-acr", async () => {
  const azure = await startAcr();
  azure.registry.deletion = "tags";
  return await subject(registryAcr, {
    repo: `${azure.registry.host}/team/app`,
    changes: { kind: "acr" },
    servers: [azure],
  });
});

registryConformance("registry-quay", async () => {
  const { registry } = startQuay();
  return await subject(registryQuay, {
    repo: `${registry.host}/ns/app`,
    changes: access("$oauthtoken", "oauth-x"),
    servers: [registry],
  });
});

registryConformance("registry-gar", async () => {
  const registry = new MemoryRegistry();
  googleRules(registry);
  const repo = `${registry.host}/proj/repo/app`;
  return await subject(registryGar, { repo, changes: { kind: "gar" }, servers: [registry] });
});

registryConformance("registry-zot", async () => {
  const registry = new MemoryRegistry();
  registry.deletion = "tags";
  const repo = `${registry.host}/app`;
  return await subject(registryZot, { repo, changes: { kind: "zot" }, servers: [registry] });
});

registryConformance("registry-ghcr", async () => {
  const github = startGithub();
  return await subject(registryGhcr, {
    repo: `${github.registry.host}/acme/app`,
    changes: { kind: "ghcr", ...access("me", "ghp_x") },
    options: { api: github.api.url },
    servers: [github],
  });
});
