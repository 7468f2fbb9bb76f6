/** Any registry, by a client that does not really wait. */
import { definePlugin } from "../../core/contract/plugin.ts";
import { RegistryClient } from "../../lib/registry/client.ts";
import type { RegistryWait } from "../../lib/registry/patience.ts";
import { createOciBackend, OCI_CAPABILITIES } from "../../plugins/registry/_oci_backend.ts";

/** @param waits takes what servers asked for */
export function quickRegistry(waits: RegistryWait[] = []) {
  return definePlugin({
    name: "registry-quick",
    api: 1,
    setup: () => ({
      openRegistry: (request) => {
        const { repo, env, access: { username, password } } = request;
        const slash = repo.indexOf("/");
        const client = new RegistryClient(repo.slice(0, slash), {
          env,
          retry: {
            sleep: (_, signal) => {
              signal.throwIfAborted();
              return Promise.resolve();
            },
          },
          ...(username !== undefined && { login: { username, password: password! } }),
          onWait: (wait) => waits.push(wait),
        });
        return createOciBackend(client, repo.slice(slash + 1), {
          kind: "quick",
          capabilities: OCI_CAPABILITIES,
        });
      },
    }),
  });
}
