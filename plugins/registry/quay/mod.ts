import type { Plugin } from "../../../core/plugin.ts";
import { load } from "../../../lib/load.ts";
import { defineProvider, type ProviderOptions } from "../_provider_plugin.ts";

/** Quay.io and Red Hat Quay: tags with times through its own API when an OAuth token is known, deletion of single tags. */
export const registryQuay: Plugin<ProviderOptions> = defineProvider(
  "quay",
  async () => (await load<typeof import("./open.ts")>("./open.ts", import.meta.url)).openQuay,
);
