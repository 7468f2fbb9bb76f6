import type { Plugin } from "../../../core/contract/plugin.ts";
import { defineProvider, type ProviderOptions } from "../_provider_plugin.ts";

/** Quay.io and Red Hat Quay: tags with times through its own API when an OAuth token is known, deletion of single tags. */
export const registryQuay: Plugin<ProviderOptions> = defineProvider(
  "quay",
  async () => (await import("./open.ts")).openQuay,
);
