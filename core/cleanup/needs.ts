import type { Config } from "../contract/config.ts";
import type { RegistryBackend, RegistryMemo } from "../contract/registry.ts";
import type { Store } from "../contract/store.ts";
import type { HookRunner } from "../hooks/runner.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { BuiltinPolicies } from "./policies.ts";

/** What cleaning up a registry takes. */
export interface CleanupNeeds {
  readonly options: Pick<ResolvedOptions, "dir" | "env" | "signal" | "dryRun" | "emit">;
  config(): Promise<Config>;
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
}

/** What is remembered of registries, beside all else that the store remembers. */
export function registryMemo(store: Store): RegistryMemo {
  return {
    get: (kind, key) => store.memo(`registry-${kind}`, key),
    put: (kind, key, value) => store.putMemo(`registry-${kind}`, key, value),
  };
}
