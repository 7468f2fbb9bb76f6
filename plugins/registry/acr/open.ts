import type { RegistryBackend } from "../../../core/contract/plugin.ts";
import { clientFor, createOciBackend } from "../_oci_backend.ts";
import type { ProviderRepo } from "../_provider_plugin.ts";
import { createAcrApi } from "./api.ts";

/** Opens a repository of Azure Container Registry; its metadata API takes the registry's own login. */
export async function openAcr({ request, domain, path, onWait }: ProviderRepo): Promise<RegistryBackend> {
  const client = await clientFor(request, domain, onWait);
  return createOciBackend(client, path, createAcrApi(client));
}
