/** Requests to open REPO, and what hooks are handed, without an engine. */
import type { HookContext, RegistryBackend, RegistryRequest } from "../../core/contract/plugin.ts";
import type { PluginEvent } from "../../core/contract/events.ts";
import { registryOci } from "../../plugins/registry/oci.ts";

const { signal } = new AbortController();

/** A request with empty surroundings and a memo in memory. */
export function registryRequest(
  repo: string,
  changes: Partial<RegistryRequest> = {},
  memo: Map<string, unknown> = new Map(),
): RegistryRequest {
  return {
    repo,
    access: { insecure: [] },
    env: { HOME: "/nonexistent" },
    projectDir: "/nonexistent",
    memo: {
      get: (kind, key, is) => {
        const value = memo.get(`${kind} ${key}`);
        return Promise.resolve(is(value) ? value : undefined);
      },
      put: (kind, key, value) => Promise.resolve(void memo.set(`${kind} ${key}`, value)),
    },
    signal,
    ...changes,
  };
}

/** Opens REPO with the generic plugin; undefined when that does not claim it. */
export async function openOci(
  request: RegistryRequest,
  emit: (event: PluginEvent) => void = () => {},
): Promise<RegistryBackend | undefined> {
  const hooks = await registryOci.load(undefined, { projectDir: request.projectDir, env: request.env });
  const hook = hooks.openRegistry;
  if (hook === undefined || typeof hook === "function") throw new Error("registry-oci must be asked last");
  const ctx: HookContext = { signal: request.signal, dryRun: false, emit };
  return await hook.handler(request, ctx);
}
