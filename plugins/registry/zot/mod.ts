import type { Plugin } from "../../../core/plugin.ts";
import { load } from "../../../lib/load.ts";
import { defineProvider, type ProviderOptions } from "../_provider_plugin.ts";

/** zot: plain OCI distribution protocol with deletion of single tags. */
export const registryZot: Plugin<ProviderOptions> = defineProvider(
  "zot",
  async () => (await load<typeof import("./open.ts")>("./open.ts", import.meta.url)).openZot,
);
