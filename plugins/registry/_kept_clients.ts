import type { RegistryRequest } from "../../core/contract/plugin.ts";
import type { RegistryClient } from "../../lib/registry/client.ts";

const kept = new WeakMap<RegistryRequest["access"], RegistryClient>();

/** Keeps a client, with its connections and what it has heard, for who opens the same registry for the same request. */
export function keepClient({ access }: RegistryRequest, client: RegistryClient): void {
  kept.set(access, client);
}

/** The client that was kept; whoever gets it disposes of it. */
export function takeClient({ access }: RegistryRequest, domain: string): RegistryClient | undefined {
  const client = kept.get(access);
  if (client?.domain !== domain) return undefined;
  kept.delete(access);
  return client;
}

/** Lets go of the client that was kept for a request and that nobody got. */
export async function dropClient({ access }: RegistryRequest): Promise<void> {
  const client = kept.get(access);
  kept.delete(access);
  await client?.[Symbol.asyncDispose]();
}
