import { watching } from "../watch.ts";
import { isObject } from "../guard.ts";
import { RegistryError } from "./errors.ts";
import type { Env } from "./http.ts";

/** What of Docker's `config.json` and podman's `auth.json` is of use here. */
export interface DockerConfig {
  /** By host, in the spelling of the file; entries that hold nothing are left out. */
  readonly auths: Readonly<Record<string, Credentials>>;
  /** Helper name by host. */
  readonly credHelpers: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

/** Headers that requests set themselves. */
const RESERVED = ["authorization", "host", "content-length", "content-type", "transfer-encoding", "accept"];

/** Reads a configuration file; undefined when it is absent. @throws {RegistryError} when it is malformed */
export async function readDockerConfig(file: string): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return undefined;
    throw unreadable(file, error instanceof Error ? error.message : String(error));
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
  let json: unknown;
  try {
    json = text.trim() === "" ? {} : JSON.parse(text);
  } catch {
    throw unreadable(title, "it is not JSON");
  }
  const { auths, credHelpers, credsStore } = members(json);
  const entries = Object.entries(members(auths)).flatMap(([host, value]) => {
    const found = credentialsOf(members(value));
    return found ? [[host, found] as const] : [];
  });
  const helpers = Object.entries(members(credHelpers)).filter(([, name]) =>
    typeof name === "string" && name !== ""
  );
  return {
    auths: Object.fromEntries(entries),
    credHelpers: Object.fromEntries(helpers) as Record<string, string>,
    ...(typeof credsStore === "string" && credsStore !== "" && { credsStore }),
  };
}

function credentialsOf(entry: Readonly<Record<string, unknown>>): Credentials | undefined {
  const text = (key: string) => typeof entry[key] === "string" ? entry[key] as string : "";
  if (text("registrytoken")) return { kind: "bearer", token: text("registrytoken") };
  let [username, password] = [text("username"), text("password")];
  if (text("auth")) {
    const decoded = decodeBase64(text("auth"));
    const colon = decoded.indexOf(":");
    if (colon > 0) {
      username = decoded.slice(0, colon);
      password = decoded.slice(colon + 1).replace(/\0+$/, "");
    }
  }
  if (text("identitytoken")) return { kind: "identity", username, token: text("identitytoken") };
  return username ? { kind: "basic", username, password } : undefined;
}

function decodeBase64(text: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(text.trim()));
  } catch {
    return "";
  }
}

function members(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value) ? value : {};
}

function unreadable(title: string, why: string): RegistryError {
  return new RegistryError(`Cannot read registry credentials from ${title}: ${why}`, { kind: "denied" });
}

/** What a user may show to a registry. */
export type Credentials =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  /** A refresh token, exchanged for access tokens. */
  | { readonly kind: "identity"; readonly username: string; readonly token: string }
  /** Sent as it is. */
  | { readonly kind: "bearer"; readonly token: string };
