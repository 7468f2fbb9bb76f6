import type { Env } from "./http.ts";

/** Host of the API behind a domain of an image name: Docker Hub's differs. */
export function apiHost(domain: string): string {
  return domain === "docker.io" ? "registry-1.docker.io" : domain;
}

/** Whether a URL leads to `host`, whose port may be the usual one of the URL's scheme, or left out. */
export function isHost(url: URL, host: string): boolean {
  return new URL(`${url.protocol}//${host}`).host === url.host;
}

/** Whether a host name (without port) is this machine: localhost, 127.0.0.0/8, ::1. */
export function isLoopback(hostname: string): boolean {
  const name = hostname.toLowerCase();
  return name === "localhost" || name.endsWith(".localhost") || /^127(\.\d{1,3}){3}$/.test(name) ||
    name === "[::1]";
}

/** Whether a host name is an address that only means something inside one network: private, link-local or loopback. */
export function isPrivateAddress(hostname: string): boolean {
  const name = hostname.toLowerCase();
  if (/^\[(::1|fe[89ab].*|f[cd].*|::ffff:.*)\]$/.test(name)) return true;
  const parts = /^(\d+)\.(\d+)\.\d+\.\d+$/.exec(name);
  if (!parts) return isLoopback(name);
  const [a, b] = [Number(parts[1]), Number(parts[2])];
  return a === 10 || a === 127 || a === 0 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) ||
    (a === 169 && b === 254);
}

/** Whether a host (with port) may be asked by plain http: this machine may, and who may be asked without verified TLS. */
export function mayBePlain(host: string, unverified: ReadonlySet<string>): boolean {
  return isLoopback(new URL(`https://${host}`).hostname) || unverified.has(host);
}

/** Hosts (with port, lower case) that may be asked without verified TLS: those of the environment, and `more`. */
export function insecureHosts(env: Env, more: readonly string[] = []): ReadonlySet<string> {
  return parseHostList([env.DAPP_INSECURE_REGISTRY ?? "", ...more].join(","));
}

/** Host names with optional port from a comma-separated list. */
export function parseHostList(text: string | undefined): ReadonlySet<string> {
  return new Set(
    (text ?? "").split(",").map((host) => host.trim().toLowerCase()).filter((host) => host !== ""),
  );
}
