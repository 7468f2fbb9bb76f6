import type { Plugin } from "../../../core/contract/plugin.ts";
import { defineProvider, type ProviderOptions } from "../_provider_plugin.ts";

/** GitLab's container registry, on gitlab.com or elsewhere: tags with times in bulk, deletion of single tags. */
export const registryGitlab: Plugin<ProviderOptions> = defineProvider(
  "gitlab",
  async () => (await import("./open.ts")).openGitlab,
);
