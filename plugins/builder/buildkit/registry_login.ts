import { findCredentials } from "../../../lib/registry/credentials.ts";
import type { LayerPlace } from "../../../core/contract/plugin.ts";
import type { Environment } from "./address.ts";

/**
 * The login that a daemon shows to a registry: what was given for the host of `at`, else what docker and podman know,
 * for the repository of `at` or of `others` that is there. A daemon changes it for tokens itself.
 */
export function logins(
  { repository, access }: LayerPlace,
  env: Environment,
  others: readonly string[] = [],
): (host: string) => Promise<{ readonly username: string; readonly secret: string } | undefined> {
  const places = [repository.name, ...others].map((name) => {
    const slash = name.indexOf("/");
    return { host: name.slice(0, slash), path: name.slice(slash + 1) };
  });
  return async (host) => {
    const { username, password } = access;
    if (host === places[0]!.host && username !== undefined && password !== undefined) {
      return { username, secret: password };
    }
    const path = places.find((place) => place.host === host)?.path ?? "";
    const found = await findCredentials(host, path, env);
    return found?.kind === "basic" ? { username: found.username, secret: found.password } : undefined;
  };
}
