/** What the tests of all providers need. */
import {
  definePlugin,
  type Digest,
  type HookContext,
  type ListedTag,
  type Plugin,
  type RegistryBackend,
  type RegistryRequest,
  type Selection,
  use,
} from "../../../core/contract/plugin.ts";
import { defaultRetryPolicy, type RetryPolicy } from "../../../lib/registry/retry.ts";
import type { ProviderOptions } from "../../../plugins/registry/_provider_plugin.ts";
import type { Credentials } from "../../../lib/registry/docker_config.ts";
import { digestFromHex } from "../../../lib/oci/digest.ts";

export const { signal } = new AbortController();

/** A digest that says nothing but "another one". */
export function digestNo(number: number): Digest {
  return digestFromHex(number.toString(16).padStart(64, "0"));
}

/** Opens REPO with one provider's plugin; undefined when it does not claim it. */
export async function openWith(
  plugin: Plugin<ProviderOptions>,
  request: RegistryRequest,
  options?: ProviderOptions,
): Promise<RegistryBackend | undefined> {
  const hooks = await plugin.load(options, { projectDir: request.projectDir, env: request.env });
  const hook = hooks.openRegistry;
  if (typeof hook !== "function") throw new Error(`${plugin.name} has no hook openRegistry`);
  const ctx: HookContext = { signal: request.signal, dryRun: false, emit() {} };
  return await hook(request, ctx);
}

/** A provider's plugin for an engine: cleanups give builds a moment to hear of them, not half a minute. */
export function settled(plugin: Plugin<ProviderOptions>, options?: ProviderOptions): Selection {
  const quick = definePlugin({
    name: `${plugin.name}-settled`,
    api: 1,
    setup: () => ({
      openRegistry: async (request) => {
        const backend = await openWith(plugin, request, options);
        return backend && { ...backend, capabilities: { ...backend.capabilities, settleMs: 100 } };
      },
    }),
  });
  return use(quick);
}

/** {@linkcode openWith} for a REPO that must be claimed. */
export async function opened(
  plugin: Plugin<ProviderOptions>,
  request: RegistryRequest,
  options?: ProviderOptions,
): Promise<RegistryBackend> {
  const backend = await openWith(plugin, request, options);
  if (!backend) throw new Error(`${plugin.name} does not claim "${request.repo}"`);
  return backend;
}

/** All rows, in the order of their tags. */
export async function listed(rows: AsyncIterable<ListedTag>): Promise<ListedTag[]> {
  return (await Array.fromAsync(rows)).sort((a, b) => a.tag < b.tag ? -1 : 1);
}

/** A policy whose waits take no time, and the list of them in milliseconds. */
export function countedWaits(): { readonly waits: number[]; readonly retry: Partial<RetryPolicy> } {
  const waits: number[] = [];
  let now = defaultRetryPolicy.now();
  const retry: Partial<RetryPolicy> = {
    now: () => now,
    sleep(ms) {
      waits.push(ms);
      now += ms;
      return Promise.resolve();
    },
  };
  return { waits, retry };
}

export const user: Credentials = { kind: "basic", username: "me", password: "dckr_pat_x" };

export function credentialsOf(found: Credentials | undefined): () => Promise<Credentials | undefined> {
  return () => Promise.resolve(found);
}
