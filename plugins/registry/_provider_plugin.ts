/** What the plugins of all registry providers have in common. */
import {
  definePlugin,
  type HookContext,
  type Plugin,
  type RegistryBackend,
  type RegistryRequest,
} from "../../core/contract/plugin.ts";
import { detectRegistry, kindOfHost } from "./_detect.ts";
import type { RegistryKind } from "../../lib/registry/kinds.ts";
import { dropClient } from "./_kept_clients.ts";
import type { OnWait } from "./_oci_backend.ts";
import { parseRepo } from "./_repo.ts";
import { noteWaits } from "./_waits.ts";

/** Options of every provider plugin. */
export interface ProviderOptions {
  /** URL that the provider's own API is reached at instead of the usual one: that of an installation of one's own. */
  readonly api?: string | undefined;
}

/** A REPO that this provider serves. */
export interface ProviderRepo extends ProviderOptions {
  readonly request: RegistryRequest;
  /** `docker.io`, `registry.example.com:5000`. */
  readonly domain: string;
  /** Below the host. */
  readonly path: string;
  /** Told when the registry or the provider makes requests wait. */
  readonly onWait: OnWait;
}

export type ProviderOpener = (repo: ProviderRepo) => Promise<RegistryBackend>;

/**
 * Declares the plugin of a provider. `opener` loads what serves a REPO; it is called when REPO is of this kind, which
 * is found out without a request wherever the user, the host or an earlier run tells.
 */
export function defineProvider(
  kind: RegistryKind,
  opener: () => Promise<ProviderOpener>,
): Plugin<ProviderOptions> {
  const setup = (options: ProviderOptions) => {
    /** Requests for which it was found out what registry it is. */
    const asked: RegistryRequest[] = [];
    return {
      async openRegistry(
        request: RegistryRequest,
        ctx: Pick<HookContext, "emit">,
      ): Promise<RegistryBackend | undefined> {
        if (request.repo.startsWith("oci:")) return undefined;
        const { domain, path } = parseRepo(request.repo);
        // The host tells most: nothing is loaded and nobody is asked.
        const known = request.kind === undefined ? kindOfHost(domain) : undefined;
        if (known !== undefined && known !== kind) return undefined;
        const onWait = noteWaits(ctx);
        if (request.kind !== kind && known === undefined) {
          const found = await detectRegistry(request, domain, async () => {
            const { clientFor } = await import("./_oci_backend.ts");
            asked.push(request);
            return await clientFor(request, domain, onWait);
          });
          if (found.kind !== kind) return undefined;
        }
        return await (await opener())({ request, domain, path, onWait, ...options });
      },
      // Who was to open it next may have failed, or an abort may have come before.
      async [Symbol.asyncDispose]() {
        for (const request of asked.splice(0)) await dropClient(request);
      },
    };
  };
  const plugin = definePlugin({
    name: `registry-${kind}`,
    api: 1,
    options: (z) => z.strictObject({ api: z.url({ protocol: /^https?$/ }).optional() }),
    setup: (options) => setup(options),
  });
  return {
    ...plugin,
    // Without options there is nothing to check, and the schema library costs more than a no-change build.
    load: async (raw, host) => raw === undefined ? setup({}) : await plugin.load(raw, host),
  };
}
