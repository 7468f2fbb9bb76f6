import type { Plugin } from "../../../core/contract/plugin.ts";
import { defineProvider, type ProviderOptions } from "../_provider_plugin.ts";

/** zot: plain OCI distribution protocol with deletion of single tags. */
export const registryZot: Plugin<ProviderOptions> = defineProvider(
  "zot",
  async () => (await import("./open.ts")).openZot,
);
