import { runHelper } from "./credential_helper.ts";
import { type DockerConfig, dockerConfigFile, parseDockerAuth, readDockerConfig } from "./docker_config.ts";
import type { Env } from "./transport.ts";

/** What a user may show to a registry. */
export type Credentials =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** A refresh token, exchanged for access tokens. */
  | { readonly kind: "identity"; readonly username: string; readonly token: string }
  /** Sent as it is. */
  | { readonly kind: "bearer"; readonly token: string };

const HUB_KEY = "https://index.docker.io/v1/";
const HUB_HOSTS = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/**
 * Credentials for a repository: in a GitLab job those of the job for `CI_REGISTRY`, otherwise looked up where docker and
 * podman keep them: `DOCKER_AUTH_CONFIG`, `REGISTRY_AUTH_FILE`, Docker's `config.json`, then podman's `auth.json` files. The first that knows the host decides.
 * Within one file helpers come first; longer path prefixes win over shorter ones.
 *
 * @throws {RegistryError} when a file cannot be read or a helper fails
 */
export async function findCredentials(
  domain: string,
  path: string,
  env: Env,
): Promise<Credentials | undefined> {
  if (env.CI_REGISTRY && env.CI_JOB_TOKEN && hostOf(env.CI_REGISTRY) === domain.toLowerCase()) {
    return { kind: "basic", username: "gitlab-ci-token", password: env.CI_JOB_TOKEN };
  }
  if (env.DOCKER_AUTH_CONFIG) {
    const config = parseDockerAuth(env.DOCKER_AUTH_CONFIG, "DOCKER_AUTH_CONFIG");
    const found = fromAuths(config, domain, path);
    if (found) return found;
  }
  for (const file of configFiles(env)) {
    const config = await readDockerConfig(file);
    const found = config && await fromConfig(config, domain, path, env);
    if (found) return found;
  }
  return undefined;
}

/** Host and port, lower case, of text that may have a scheme. */
function hostOf(text: string): string {
  return text.replace(/^https?:\/\//i, "").replace(/\/.*$/, "").toLowerCase();
}

function configFiles(env: Env): string[] {
  const home = env.HOME ?? "/root";
  return [
    ...(env.REGISTRY_AUTH_FILE ? [env.REGISTRY_AUTH_FILE] : []),
    dockerConfigFile(env),
    ...(env.XDG_RUNTIME_DIR ? [`${env.XDG_RUNTIME_DIR}/containers/auth.json`] : []),
    `${env.XDG_CONFIG_HOME || `${home}/.config`}/containers/auth.json`,
  ];
}

async function fromConfig(
  config: DockerConfig,
  domain: string,
  path: string,
  env: Env,
): Promise<Credentials | undefined> {
  const keys = HUB_HOSTS.includes(domain) ? [HUB_KEY, ...HUB_HOSTS] : [domain];
  const named = keys.map((key) => config.credHelpers[key]).find((name) => name !== undefined);
  const helper = named ?? config.credsStore;
  const found = helper ? await runHelper(helper, keys[0]!, env) : undefined;
  return found ?? fromAuths(config, domain, path);
}

function fromAuths(config: DockerConfig, domain: string, path: string): Credentials | undefined {
  const entries = new Map(
    Object.entries(config.auths).map((
      [key, value],
    ) => [key.replace(/^https?:\/\//, "").replace(/\/+$/, ""), value]),
  );
  const hosts = HUB_HOSTS.includes(domain) ? HUB_HOSTS : [domain];
  const parts = path.split("/");
  for (let depth = parts.length; depth >= 0; depth--) {
    const prefix = parts.slice(0, depth).map((part) => "/" + part).join("");
    for (const host of hosts) {
      const keys = depth > 0 ? [host + prefix] : [host, `${host}/v1`, `${host}/v2`];
      for (const key of keys) {
        const found = entries.get(key);
        if (found) return found;
      }
    }
  }
  return undefined;
}
