import { whyFailed } from "../file_failure.ts";
import { watching } from "../watch.ts";
import { isObject } from "../guard.ts";
import { RegistryError } from "./errors.ts";
import type { Env } from "./http.ts";

/** What of Docker's `config.json` and podman's `auth.json` is of use here. */
export interface DockerConfig {
  /** The file or variable, as messages call it. */
  readonly title: string;
  /** By host, in the spelling of the file; entries that hold nothing are left out. */
  readonly auths: Readonly<Record<string, Credentials | WrongEntry>>;
  /** Helper name by host. */
  readonly credHelpers: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

/** An entry that cannot be what somebody meant to keep. */
export interface WrongEntry {
  readonly kind: "wrong";
  /** What is wrong with it, to follow its place; without what it holds. */
  readonly why: string;
}

/** Headers that requests set themselves. */
const RESERVED = ["authorization", "host", "content-length", "content-type", "transfer-encoding", "accept"];

/** Reads a configuration file; undefined when it is absent. @throws {RegistryError} when it cannot be read, or is malformed */
export async function readDockerConfig(file: string): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw unreadable(
      `"${file}"`,
      whyFailed(error),
      `Give this user the right to read it, or log in with another one: ${ELSEWHERE}`,
    );
  }
  return parseDockerAuth(text, `"${file}"`);
}

/**
 * What Docker's `config.json` wants to be sent along with every request (`HttpHeaders`). A file that cannot be read adds
 * nothing: it is reported when credentials are looked up there.
 */
export async function readDockerHeaders(env: Env): Promise<Readonly<Record<string, string>>> {
  try {
    const text = await Deno.readTextFile(dockerConfigFile(env));
    const { HttpHeaders } = members(JSON.parse(text));
    const entries = Object.entries(members(HttpHeaders));
    const sent = entries.filter(([name, value]) =>
      typeof value === "string" && !RESERVED.includes(name.toLowerCase())
    );
    // Whoever asks the registry again, without a client, has to send them as well; see cli/remembered/ask.ts.
    if (sent.length > 0) watching()?.beyond("Docker's configuration adds headers");
    return Object.fromEntries(sent) as Record<string, string>;
  } catch {
    return {};
  }
}

/** Where Docker keeps its configuration. */
export function dockerConfigFile(env: Env): string {
  return `${env.DOCKER_CONFIG || `${env.HOME ?? "/root"}/.docker`}/config.json`;
}

/** Parses a configuration; `title` names it in messages, which never quote the content. @throws {RegistryError} */
export function parseDockerAuth(text: string, title: string): DockerConfig {
  const wrong = (why: string) =>
    unreadable(title, why, "Correct it, or have it written anew: remove it, then docker login HOST");
  let json: unknown;
  try {
    json = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    throw wrong("it is not JSON");
  }
  if (!isObject(json)) throw wrong("it is JSON, but no object");
  const { auths, credHelpers, credsStore } = json;
  for (const [key, value] of Object.entries({ auths, credHelpers })) {
    if (value !== undefined && value !== null && !isObject(value)) throw wrong(`its "${key}" is no object`);
  }
  if (credsStore !== undefined && typeof credsStore !== "string") throw wrong('its "credsStore" is no text');
  const entries = Object.entries(members(auths)).flatMap(([host, value]) => {
    const found = isObject(value) ? credentialsOf(value) : { kind: "wrong" as const, why: "it is no object" };
    return found ? [[host, found] as const] : [];
  });
  const helpers = Object.entries(members(credHelpers)).flatMap(([host, name]) => {
    if (typeof name !== "string") throw wrong(`its "credHelpers" name no program for "${host}"`);
    return name === "" ? [] : [[host, name] as const];
  });
  return {
    title,
    auths: Object.fromEntries(entries),
    credHelpers: Object.fromEntries(helpers),
    ...(typeof credsStore === "string" && credsStore !== "" && { credsStore }),
  };
}

/** What of an entry may be shown to a registry. @throws {RegistryError} for one that is wrong */
export function requireRight(entry: Credentials | WrongEntry, host: string, title: string): Credentials {
  if (entry.kind !== "wrong") return entry;
  throw unreadable(title, `of "${host}", ${entry.why}`, `Log in anew: docker login ${host}`);
}

function credentialsOf(entry: Readonly<Record<string, unknown>>): Credentials | WrongEntry | undefined {
  const text = (key: string) => typeof entry[key] === "string" ? entry[key] as string : "";
  if (text("registrytoken")) return { kind: "bearer", token: text("registrytoken") };
  let [username, password] = [text("username"), text("password")];
  if (text("auth")) {
    const decoded = decodeBase64(text("auth"));
    const colon = decoded?.indexOf(":") ?? -1;
    if (decoded === undefined) return { kind: "wrong", why: 'its "auth" is not base64' };
    if (colon < 0) return { kind: "wrong", why: 'its "auth" is no USER:PASSWORD in base64: it has no ":"' };
    if (colon === 0 && !text("identitytoken")) {
      return { kind: "wrong", why: 'its "auth" has no user before the ":"' };
    }
    username = decoded.slice(0, colon);
    password = decoded.slice(colon + 1).replace(/\0+$/, "");
  }
  if (text("identitytoken")) return { kind: "identity", username, token: text("identitytoken") };
  return username ? { kind: "basic", username, password } : undefined;
}

function decodeBase64(text: string): string | undefined {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(text.trim()));
  } catch {
    return undefined;
  }
}

function members(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}

/** Where logins may be kept instead. */
const ELSEWHERE = "--registry-username for REPO, or a directory that DOCKER_CONFIG names";

function unreadable(title: string, why: string, fix: string): RegistryError {
  return new RegistryError(`Cannot read registry credentials from ${title}: ${why}`, { kind: "denied", fix });
}

/** What a user may show to a registry. */
export type Credentials =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** A refresh token, exchanged for access tokens. */
  | { readonly kind: "identity"; readonly username: string; readonly token: string }
  /** Sent as it is. */
  | { readonly kind: "bearer"; readonly token: string };
