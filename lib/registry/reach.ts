import { apiHost, insecureHosts, mayBePlain } from "./hosts.ts";
import type { Env } from "./http.ts";
import { tlsReady } from "./tls_ready.ts";
import { HttpTransport } from "./transport.ts";

/**
 * Begins to reach a registry before there is anything to ask it: a connection is opened, and nothing is sent over it. Gives
 * what a client goes on with; undefined for a host whose scheme the first request has to find out.
 *
 * @param insecure more hosts (with port) that may be asked without verified TLS
 */
export function reach(
  domain: string,
  { env, insecure }: { readonly env: Env; readonly insecure: readonly string[] },
): HttpTransport | undefined {
  const unverified = insecureHosts(env, insecure);
  const host = apiHost(domain.toLowerCase());
  if (mayBePlain(host, unverified)) return undefined;
  void tlsReady();
  const transport = new HttpTransport(env, unverified);
  void transport.expect(new URL(`https://${host}/v2/`));
  return transport;
}
