import { isLoopback } from "../../lib/loopback.ts";
import type { StepNetwork } from "../contract/builder.ts";
import type { ImageRule } from "../contract/config.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import { PROXY_VARIABLES, withoutLogin } from "../settings/proxies.ts";

/** Options that decide on the network of commands. */
export type NetworkOptions = Pick<ResolvedOptions, "network" | "env" | "untrusted">;

/** The network of an image's commands: as asked, as the dappfile says, else the builder's choice, if it may choose. */
export function networkOf(
  options: NetworkOptions,
  rule: Pick<ImageRule, "network">,
): { readonly network?: StepNetwork } {
  const network = options.network ?? rule.network ?? (proxyOfThisMachine(options) ? "host" : undefined);
  return network ? { network } : {};
}

/**
 * Why commands need this machine's network although nobody asked for it: a proxy on its loopback interface is reached
 * from there alone. Strangers do not get there by that.
 */
export function proxyOfThisMachine({ env, untrusted }: NetworkOptions): string | undefined {
  if (untrusted) return undefined;
  for (const name of PROXY_VARIABLES) {
    const host = /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:[^/@]*@)?(\[[^\]]*\]|[^:/]*)/i.exec(env[name] ?? "")?.[1] ??
      "";
    if (isLoopback(host)) return `the proxy in "${name}" is on this machine ("${host}")`;
  }
}

/** Variables by which commands find the proxies of this machine, without logins when they are those of strangers. */
export function proxyVariables(
  { env, untrusted }: Pick<ResolvedOptions, "env" | "untrusted">,
): Readonly<Record<string, string>> {
  const proxies: Record<string, string> = {};
  for (const name of [...PROXY_VARIABLES, "no_proxy", "NO_PROXY"]) {
    const value = env[name];
    if (value) proxies[name] = untrusted ? withoutLogin(value) : value;
  }
  return proxies;
}
