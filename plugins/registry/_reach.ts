import type { RegistryRequest } from "../../core/contract/plugin.ts";
import { reach } from "../../lib/registry/reach.ts";
import type { HttpTransport } from "../../lib/registry/transport.ts";
import { parseRepo } from "./_repo.ts";

/** Connections to one host that no client has taken over yet. */
class Begun implements AsyncDisposable {
  constructor(readonly domain: string, public transport: HttpTransport | undefined) {}

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport?.[Symbol.asyncDispose]();
  }
}

const begun = new WeakMap<RegistryRequest["access"], Begun>();

/**
 * Begins to reach the host of a REPO, for the client that is made for a request with the same `access`. Gives what lets go
 * of what nobody took; undefined where nothing can be begun.
 */
export function reachRepo(
  { repo, env, access }: Pick<RegistryRequest, "repo" | "env" | "access">,
): AsyncDisposable | undefined {
  let domain: string;
  try {
    ({ domain } = parseRepo(repo));
  } catch {
    return undefined; // whoever opens it says why
  }
  const own = new Begun(domain, reach(domain, { env, insecure: access.insecure }));
  begun.set(access, own);
  return own;
}

/** The connections that were begun; whoever gets them disposes of them. */
export function takeBegun({ access }: RegistryRequest, domain: string): HttpTransport | undefined {
  const own = begun.get(access);
  if (own?.domain !== domain) return undefined;
  const { transport } = own;
  own.transport = undefined;
  return transport;
}
