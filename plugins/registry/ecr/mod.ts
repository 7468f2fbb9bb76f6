import type { Plugin } from "../../../core/contract/plugin.ts";
import { defineProvider, type ProviderOptions } from "../_provider_plugin.ts";

/** Amazon Elastic Container Registry (private): login, listing and deletion with the AWS_* environment variables. */
export const registryEcr: Plugin<ProviderOptions> = defineProvider(
  "ecr",
  async () => (await import("./open.ts")).openEcr,
);
