import { findCredentials } from "../../../lib/registry/credentials.ts";
import type { SharedImage } from "../../../core/contract/plugin.ts";
import type { Environment } from "./address.ts";

/** How registries are reached and where REPO is. */
export type LoginPlace = Pick<SharedImage, "repository" | "access">;

/**
 * The login that a daemon shows to a registry: what was given for the host of REPO, else what docker and podman know.
 * A daemon changes it for tokens itself.
 */
export function logins(
  { repository, access }: LoginPlace,
  env: Environment,
): (host: string) => Promise<{ readonly username: string; readonly secret: string } | undefined> {
  const slash = repository.name.indexOf("/");
  const [own, path] = [repository.name.slice(0, slash), repository.name.slice(slash + 1)];
  return async (host) => {
    const { username, password } = access;
    if (host === own && username !== undefined && password !== undefined) {
      return { username, secret: password };
    }
    const found = await findCredentials(host, host === own ? path : "", env);
    return found?.kind === "basic" ? { username: found.username, secret: found.password } : undefined;
  };
}
