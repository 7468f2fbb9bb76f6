import type { Plugin } from "../../../core/contract/plugin.ts";
import { defineProvider, type ProviderOptions } from "../_provider_plugin.ts";

/** Google Artifact Registry and gcr.io: one list has digests and times of all tags. */
export const registryGar: Plugin<ProviderOptions> = defineProvider(
  "gar",
  async () => (await import("./open.ts")).openGar,
);
