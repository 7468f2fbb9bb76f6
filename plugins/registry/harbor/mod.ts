import type { Plugin } from "../../../core/contract/plugin.ts";
import { defineProvider, type ProviderOptions } from "../_provider_plugin.ts";

/** Harbor: tags with times, last pulls and immutability in bulk, deletion of single tags, through its API v2.0. */
export const registryHarbor: Plugin<ProviderOptions> = defineProvider(
  "harbor",
  async () => (await import("./open.ts")).openHarbor,
);
