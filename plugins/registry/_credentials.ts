import { findCredentials } from "../../lib/registry/credentials.ts";
import { basicOf } from "../../lib/registry/token.ts";
import { explained } from "./_explain.ts";
import type { ProviderRepo } from "./_provider_plugin.ts";
import type { Credentials } from "../../lib/registry/docker_config.ts";

/**
 * What the user may show to the provider of REPO: the login of the command line, else what docker and podman know of
 * the host.
 *
 * @throws {EngineError} REGISTRY_FAILED when a credential file cannot be read or a helper fails
 */
export async function credentialsFor(
  { request, domain, path }: Pick<ProviderRepo, "request" | "domain" | "path">,
): Promise<Credentials | undefined> {
  const { username, password } = request.access;
  if (username !== undefined && password !== undefined) return { kind: "basic", username, password };
  return await explained(domain, () => findCredentials(domain, path, request.env));
}

/** The password of a login, which is where registries take tokens of their own; undefined without login. */
export function secretOf(credentials: Credentials | undefined): string | undefined {
  return credentials?.kind === "basic" ? credentials.password : credentials?.token;
}

/** The value of an `Authorization` header of scheme Basic (RFC 7617, UTF-8). */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${basicOf(username, password)}`;
}

/** Settings that every client of a provider's API takes from REPO. */
export function reachOf({ request, onWait }: Pick<ProviderRepo, "request" | "onWait">) {
  return { env: request.env, insecure: request.access.insecure, onWait };
}
