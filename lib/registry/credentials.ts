import { runHelper } from "./credential_helper.ts";
import {
  type Credentials,
  type DockerConfig,
  dockerConfigFile,
  parseDockerAuth,
  readDockerConfig,
  requireRight,
  type WrongEntry,
} from "./docker_config.ts";
import { RegistryError } from "./errors.ts";
import type { Env } from "./http.ts";

/** The variable that holds logins itself. */
const VARIABLE = "DOCKER_AUTH_CONFIG";
const HUB_KEY = "https://index.docker.io/v1/";
const HUB = "docker.io";
const HUB_HOSTS = [HUB, "index.docker.io", "registry-1.docker.io"];

/**
 * Credentials for a repository: in a GitLab job those of the job for `CI_REGISTRY`, otherwise looked up where docker and
 * podman keep them: `DOCKER_AUTH_CONFIG`, `REGISTRY_AUTH_FILE`, Docker's `config.json`, then podman's `auth.json` files. The first that knows the host decides.
 * Within one file the most specific wins: the longest path that the repository lies in, then a helper for the host, then
 * what the file has for the host.
 *
 * @throws {RegistryError} when a file cannot be read or a helper fails
 */
export async function findCredentials(
  domain: string,
  path: string,
  env: Env,
): Promise<Credentials | undefined> {
  if (env.CI_REGISTRY && env.CI_JOB_TOKEN && hostOf(env.CI_REGISTRY) === hostOf(domain)) {
    return { kind: "basic", username: "gitlab-ci-token", password: env.CI_JOB_TOKEN };
  }
  if (env.DOCKER_AUTH_CONFIG) {
    const config = parseDockerAuth(env.DOCKER_AUTH_CONFIG, VARIABLE);
    const found = fromAuths(config, domain, path);
    if (found) return found;
  }
  for (const file of configFiles(env)) {
    const config = await readNamed(file, env);
    const found = config && await fromConfig(config, domain, path, env);
    if (found) return found;
  }
  return undefined;
}

/**
 * Host and port, in lower case and without the usual port of https, of text that may have a scheme and a path. All names
 * of Docker Hub are one.
 */
function hostOf(text: string): string {
  const host = text.replace(/^https?:\/\//i, "").replace(/\/.*$/, "").toLowerCase().replace(/:443$/, "");
  return HUB_HOSTS.includes(host) ? HUB : host;
}

/** A file of logins. The one that a variable names must be there, as for podman. */
async function readNamed(file: string, env: Env): Promise<DockerConfig | undefined> {
  const config = await readDockerConfig(file);
  if (config || file !== env.REGISTRY_AUTH_FILE) return config;
  throw new RegistryError(
    `Cannot read registry credentials from "${file}", which REGISTRY_AUTH_FILE names: it is not there`,
    { kind: "denied", fix: "Log in there, or correct or unset REGISTRY_AUTH_FILE" },
  );
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

/** Where there are logins. */
export interface KeptLogins {
  /** A file, or a variable that holds one. */
  readonly place: string;
  readonly hosts: readonly string[];
}

/**
 * The files with logins that are there, their helpers asked.
 *
 * @throws {RegistryError} when a file cannot be read, an entry of it cannot be used, or a helper fails
 */
export async function keptLogins(env: Env): Promise<readonly KeptLogins[]> {
  const found: KeptLogins[] = [];
  if (env.DOCKER_AUTH_CONFIG) {
    const config = parseDockerAuth(env.DOCKER_AUTH_CONFIG, VARIABLE);
    for (const [host, entry] of Object.entries(config.auths)) requireRight(entry, host, config.title);
    found.push({ place: VARIABLE, hosts: Object.keys(config.auths) });
  }
  for (const file of configFiles(env)) {
    const config = await readNamed(file, env);
    if (!config) continue;
    const { title, auths, credHelpers, credsStore } = config;
    for (const [host, entry] of Object.entries(auths)) requireRight(entry, host, title);
    for (const [host, helper] of Object.entries(credHelpers)) await runHelper(helper, host, env);
    if (credsStore !== undefined) await runHelper(credsStore, HUB_KEY, env);
    found.push({ place: file, hosts: [...Object.keys(auths), ...Object.keys(credHelpers)] });
  }
  return found;
}

async function fromConfig(
  config: DockerConfig,
  domain: string,
  path: string,
  env: Env,
): Promise<Credentials | undefined> {
  const own = keysOf(config, domain);
  const scoped = scopedTo(own, path);
  if (scoped) return rightOf(scoped, config);
  const named = Object.entries(config.credHelpers).find(([key]) => authKey(key).host === hostOf(domain))?.[1];
  const helper = named ?? config.credsStore;
  const server = hostOf(domain) === HUB ? HUB_KEY : domain;
  const found = helper ? await runHelper(helper, server, env) : undefined;
  return found ?? rightOf(forHost(own), config);
}

function fromAuths(config: DockerConfig, domain: string, path: string): Credentials | undefined {
  const own = keysOf(config, domain);
  return rightOf(scopedTo(own, path) ?? forHost(own), config);
}

function rightOf(key: KnownKey | undefined, { title }: DockerConfig): Credentials | undefined {
  return key && requireRight(key.entry, key.name, title);
}

/** What a key of `auths` stands for, as people and tools have written them. */
interface AuthKey {
  /** See {@linkcode hostOf}. */
  readonly host: string;
  /** Repository, or what its name begins with; "" for the whole host. */
  readonly path: string;
  /** A URL: `docker login` took any of a host, and stood by the host alone. */
  readonly url: boolean;
  /** Nothing but the host. */
  readonly plain: boolean;
}

/** A key as it is written, with what it has. */
type KnownKey = AuthKey & { readonly name: string; readonly entry: Credentials | WrongEntry };

function keysOf(config: DockerConfig, domain: string): KnownKey[] {
  const keys = Object.entries(config.auths).map(([name, entry]) => ({ ...authKey(name), name, entry }));
  return keys.filter(({ host }) => host === hostOf(domain));
}

function authKey(key: string): AuthKey {
  const [, scheme, rest = ""] = /^(https?:\/\/)?(.*)$/i.exec(key.trim()) ?? [];
  const bare = rest.replace(/\/+$/, "");
  const slash = bare.indexOf("/");
  const below = slash < 0 ? "" : bare.slice(slash + 1);
  return {
    host: hostOf(bare),
    path: below.replace(/^v[12](?:\/|$)/, ""),
    url: scheme !== undefined,
    plain: scheme === undefined && below === "",
  };
}

/** The longest key that a repository lies in, part by part. */
function scopedTo(keys: readonly KnownKey[], path: string): KnownKey | undefined {
  const inside = keys.filter((key) => key.path !== "" && `${path}/`.startsWith(`${key.path}/`));
  return inside.sort((a, b) => b.path.length - a.path.length || Number(a.url) - Number(b.url))[0];
}

/** The plain host first, then its addresses with a version of the protocol, then any other address of it. */
function forHost(keys: readonly KnownKey[]): KnownKey | undefined {
  return keys.find(({ plain }) => plain) ?? keys.find(({ path }) => path === "") ??
    keys.find(({ url }) => url);
}
