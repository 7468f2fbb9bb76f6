import { definePlugin, type RegistryRequest } from "../../core/contract/plugin.ts";
import { parseRepo } from "./_repo.ts";
import { noteWaits } from "./_waits.ts";

/**
 * Images in any registry that speaks the OCI distribution protocol: `host[:port]/path`. Asked last, for every REPO that
 * no provider's plugin claims, or for `--registry-kind oci`.
 */
export const registryOci = definePlugin({
  name: "registry-oci",
  api: 1,
  setup: () => ({
    openRegistry: {
      order: "post",
      handler: async (request: RegistryRequest, ctx) => {
        const { kind } = request;
        if (kind !== undefined && kind !== "oci") return undefined;
        if (request.repo.startsWith("oci:")) return undefined;
        const { domain, path } = parseRepo(request.repo);
        const { clientFor, createOciBackend, OCI_CAPABILITIES } = await import("./_oci_backend.ts");
        const client = await clientFor(request, domain, noteWaits(ctx));
        return createOciBackend(client, path, {
          kind: "oci",
          capabilities: OCI_CAPABILITIES,
        });
      },
    },
  }),
});
