import { probeRegistry, type RegistryCard } from "./check.ts";
import type { RegistryBackend } from "../contract/registry.ts";

/** Tries what the registry of REPO can do. */
export async function checkRegistry(
  { plugin, value: backend }: { readonly plugin: string; readonly value: RegistryBackend },
  signal: AbortSignal,
): Promise<RegistryCard> {
  const probes = await probeRegistry(backend, { signal });
  const { kind, capabilities } = backend;
  return { repo: backend.repository("").name, plugin, kind, capabilities, probes };
}
