import { EngineError, type RegistryBackend } from "../../../core/contract/plugin.ts";
import { clientFor, createOciBackend } from "../_oci_backend.ts";
import type { ProviderRepo } from "../_provider_plugin.ts";
import { createGarApi } from "./api.ts";

/** @throws {EngineError} REPO_INVALID when REPO ends at the repository, in which images have names of their own */
export async function openGar({ request, domain, path, onWait }: ProviderRepo): Promise<RegistryBackend> {
  const levels = domain.endsWith("pkg.dev") ? 3 : 2;
  if (path.split("/").length < levels) {
    const shape = levels === 3 ? "PROJECT/REPOSITORY/IMAGE" : "PROJECT/IMAGE";
    throw new EngineError(
      "REPO_INVALID",
      `Cannot use "${request.repo}" as REPO: Google wants ${domain}/${shape}, or more levels`,
    );
  }
  const client = await clientFor(request, domain, onWait);
  return createOciBackend(client, path, createGarApi(client));
}
