import type { Plugin } from "../../../core/contract/plugin.ts";
import { defineProvider, type ProviderOptions } from "../_provider_plugin.ts";

/** Azure Container Registry: tags with times and locks in bulk, deletion of single tags, through its metadata API. */
export const registryAcr: Plugin<ProviderOptions> = defineProvider(
  "acr",
  async () => (await import("./open.ts")).openAcr,
);
