import type { Plugin } from "../../../core/contract/plugin.ts";
import { defineProvider, type ProviderOptions } from "../_provider_plugin.ts";

/** Docker Hub: tags with times and last pulls in bulk, deletion of single tags, both through its own API. */
export const registryDockerHub: Plugin<ProviderOptions> = defineProvider(
  "docker-hub",
  async () => (await import("./open.ts")).openDockerHub,
);
