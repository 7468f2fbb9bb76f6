/** The registry providers that dapp knows, each by what its own API adds to the OCI protocol. */
import type { Plugin } from "../../core/contract/plugin.ts";
import { defineProvider, type ProviderOptions } from "./_provider_plugin.ts";

/** Docker Hub: tags with times and last pulls in bulk, deletion of single tags, both through its own API. */
export const registryDockerHub: Plugin<ProviderOptions> = defineProvider(
  "docker-hub",
  async () => (await import("./docker_hub/open.ts")).openDockerHub,
);

/** GitLab's container registry, on gitlab.com or elsewhere: tags with times in bulk, deletion of single tags. */
export const registryGitlab: Plugin<ProviderOptions> = defineProvider(
  "gitlab",
  async () => (await import("./gitlab/open.ts")).openGitlab,
);

/** Harbor: tags with times, last pulls and immutability in bulk, deletion of single tags, through its API v2.0. */
export const registryHarbor: Plugin<ProviderOptions> = defineProvider(
  "harbor",
  async () => (await import("./harbor/open.ts")).openHarbor,
);

/** GitHub Packages (ghcr.io): tags with times and deletion through GitHub's API, for the registry itself deletes nothing. */
export const registryGhcr: Plugin<ProviderOptions> = defineProvider(
  "ghcr",
  async () => (await import("./ghcr/open.ts")).openGhcr,
);

/** Amazon Elastic Container Registry (private): login, listing and deletion with the AWS_* environment variables. */
export const registryEcr: Plugin<ProviderOptions> = defineProvider(
  "ecr",
  async () => (await import("./ecr/open.ts")).openEcr,
);

/** Azure Container Registry: tags with times and locks in bulk, deletion of single tags, through its metadata API. */
export const registryAcr: Plugin<ProviderOptions> = defineProvider(
  "acr",
  async () => (await import("./acr/open.ts")).openAcr,
);

/** Google Artifact Registry and gcr.io: one list has digests and times of all tags. */
export const registryGar: Plugin<ProviderOptions> = defineProvider(
  "gar",
  async () => (await import("./gar/open.ts")).openGar,
);

/** Quay.io and Red Hat Quay: tags with times through its own API when an OAuth token is known, deletion of single tags. */
export const registryQuay: Plugin<ProviderOptions> = defineProvider(
  "quay",
  async () => (await import("./quay/open.ts")).openQuay,
);

/** zot: plain OCI distribution protocol with deletion of single tags. */
export const registryZot: Plugin<ProviderOptions> = defineProvider(
  "zot",
  async () => (await import("./zot/open.ts")).openZot,
);

/** In the order in which they are asked. */
export const providers: readonly Plugin[] = [
  registryDockerHub,
  registryGitlab,
  registryHarbor,
  registryGhcr,
  registryEcr,
  registryAcr,
  registryGar,
  registryQuay,
  registryZot,
];
