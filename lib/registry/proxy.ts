import { BlockList, isIP } from "node:net";
import type { VariableName } from "../environment.ts";
import { isLoopback } from "./hosts.ts";
import type { Env } from "./http.ts";

/**
 * The proxy for a URL, as Go's tools take it from the environment (golang.org/x/net/http/httpproxy), so that what
 * works for docker works here: `HTTP_PROXY` for http, `HTTPS_PROXY` for https, and `NO_PROXY` with names that cover
 * their subdomains, `.name` and `*.name` for subdomains alone, addresses, ranges (`10.0.0.0/8`), ports and `*`. This
 * machine is never asked through a proxy.
 */
export function proxyFor(url: URL, env: Env): string | undefined {
  const proxy = proxyOf(env, url.protocol);
  return proxy === undefined || isExempt(url, variable(env, "NO_PROXY")) ? undefined : proxy;
}

/** Upper case first, as in Go; a variable that is empty is none. */
function variable(env: Readonly<Record<string, string | undefined>>, name: VariableName): string {
  return env[name] || env[name.toLowerCase()] || "";
}

function proxyOf(env: Env, protocol: string): string | undefined {
  const value = variable(env, protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY").trim();
  if (value === "") return undefined;
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`;
}

/** Whether a URL is reached directly by what `NO_PROXY` says. */
function isExempt(url: URL, noProxy: string): boolean {
  const host = bare(url.hostname);
  if (isLoopback(url.hostname)) return true;
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return noProxy.split(",").some((entry) => covers(entry.trim().toLowerCase(), host, port));
}

/** Lower case, without the brackets of an IPv6 address and the final dot of a full name. */
function bare(hostname: string): string {
  return hostname.toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry === "") return false;
  if (entry === "*") return true;
  const range = /^(.*)\/(\d{1,3})$/.exec(entry);
  if (range) return isWithin(host, range[1]!, Number(range[2]));
  const [, name, wanted] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [undefined, entry, undefined];
  if (wanted !== undefined && wanted !== port) return false;
  const named = bare(name);
  if (isIP(named) !== 0) return isIP(host) !== 0 && isWithin(host, named, isIP(named) === 4 ? 32 : 128);
  // Names cover their subdomains; a leading dot, or "*.", leaves out the name itself.
  const suffix = named.replace(/^\*\./, ".");
  if (suffix === "" || suffix === ".") return false;
  return suffix.startsWith(".") ? host.endsWith(suffix) : host === suffix || host.endsWith(`.${suffix}`);
}

/** Whether an address lies in a range; names do not. An IPv4 address may be written as IPv6 (`::ffff:10.0.0.1`). */
function isWithin(host: string, network: string, bits: number): boolean {
  const kind = isIP(network);
  if (kind === 0 || isIP(host) === 0 || bits > (kind === 4 ? 32 : 128)) return false;
  const block = new BlockList();
  block.addSubnet(network, bits, kind === 4 ? "ipv4" : "ipv6");
  return block.check(host, isIP(host) === 4 ? "ipv4" : "ipv6");
}
