import type { Plugin } from "../../../core/contract/plugin.ts";
import { defineProvider, type ProviderOptions } from "../_provider_plugin.ts";

/** GitHub Packages (ghcr.io): tags with times and deletion through GitHub's API, for the registry itself deletes nothing. */
export const registryGhcr: Plugin<ProviderOptions> = defineProvider(
  "ghcr",
  async () => (await import("./open.ts")).openGhcr,
);
