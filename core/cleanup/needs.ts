import type { Config } from "../contract/config.ts";
import type { RegistryBackend, RegistryMemo } from "../contract/registry.ts";
import type { Builder } from "../contract/builder.ts";
import type { Store } from "../contract/store.ts";
import type { PluginPins } from "../hooks/apart/pins.ts";
import type { HookRunner } from "../hooks/runner.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { BuiltinPolicies } from "./policies.ts";

/** What cleaning up a registry takes. */
export interface CleanupNeeds {
  readonly options: Pick<ResolvedOptions, "dir" | "env" | "home" | "signal" | "dryRun" | "emit">;
  config(): Promise<Config>;
  /** What dappfile.lock says. */
  loaded(): Promise<{ readonly lock: { readonly plugins: PluginPins } }>;
  project(): Promise<{ readonly name: string }>;
  store(): Promise<Store>;
  hooks(): Promise<HookRunner>;
  /** Cleanup policies of the engine. */
  policies(): Promise<BuiltinPolicies>;
  registry(repo: string): Promise<{ readonly value: RegistryBackend }>;
}

/** What cleaning up this machine takes. */
export interface LocalCleanupNeeds extends Pick<CleanupNeeds, "options" | "project" | "store" | "registry"> {
  /** The store, also where there is no project. */
  storeOnly(): Promise<Store>;
  /** A builder to tidy up with; undefined when none runs here. */
  tidyBuilder(): Promise<Builder | undefined>;
}

/** What is remembered of registries, beside all else that the store remembers. */
export function registryMemo(store: Store): RegistryMemo {
  return {
    get: (kind, key, is) => store.memo.get(`registry-${kind}`, key, is),
    put: (kind, key, value) => store.memo.put(`registry-${kind}`, key, value),
  };
}
