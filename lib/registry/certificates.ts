import { RegistryError } from "./errors.ts";
import type { Env } from "./http.ts";

/** What a TLS connection to one host needs beside the certificates that are always trusted. PEM texts. */
export interface HostCertificates {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
}

/**
 * Authorities from `SSL_CERT_FILE`, `DENO_CERT` and `<host[:port]>/*.crt`, and the client certificate `*.cert` with the
 * `*.key` of the same name, from the directories of docker and podman (containers-certs.d(5), the user's first). Those
 * that this user may not read are passed over.
 *
 * @throws {RegistryError} when a file that a variable names cannot be read, which it cannot the next time either
 */
export async function hostCertificates(env: Env, host: string): Promise<HostCertificates> {
  const [texts, kept] = await Promise.all([
    Promise.all(VARIABLES.map((name) => authoritiesOf(name, env[name]))),
    Promise.all(directories(env).map((base) => certificatesIn(`${base}/${host}`))),
  ]);
  const ca = [...texts.filter((text) => text !== undefined), ...kept.flatMap(({ ca }) => ca)];
  return { ...(ca.length > 0 && { ca }), ...kept.flatMap(({ pairs }) => pairs)[0] };
}

async function certificatesIn(
  dir: string,
): Promise<
  { readonly ca: readonly string[]; readonly pairs: readonly Pick<HostCertificates, "cert" | "key">[] }
> {
  const files = await readDir(dir);
  const ca: string[] = [];
  for (const name of files.filter((name) => name.endsWith(".crt"))) {
    const text = await readable(`${dir}/${name}`);
    if (text) ca.push(text);
  }
  const pairs: { readonly cert: string; readonly key: string }[] = [];
  for (const name of files.filter((name) => name.endsWith(".cert"))) {
    const [cert, key] = [
      await readable(`${dir}/${name}`),
      await readable(`${dir}/${name.replace(/cert$/, "key")}`),
    ];
    if (cert && key) pairs.push({ cert, key });
  }
  return { ca, pairs };
}

/** Variables that name files of authorities. */
const VARIABLES = ["SSL_CERT_FILE", "DENO_CERT"] as const;

async function authoritiesOf(variable: typeof VARIABLES[number], file = ""): Promise<string | undefined> {
  if (file === "") return undefined;
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    const why = error instanceof Deno.errors.NotFound
      ? "does not exist"
      : error instanceof Deno.errors.IsADirectory
      ? "is a directory"
      : error instanceof Deno.errors.PermissionDenied
      ? "this user may not read"
      : `cannot be read: ${(error as Error).message}`;
    throw new RegistryError(`Cannot reach registries: ${variable} names "${file}", which ${why}`, {
      kind: "refused",
      variable,
      cause: error,
    });
  }
}

function directories(env: Env): string[] {
  const user = env.XDG_CONFIG_HOME || (env.HOME && `${env.HOME}/.config`);
  return [
    ...(user ? [`${user}/containers/certs.d`] : []),
    "/etc/containers/certs.d",
    "/etc/docker/certs.d",
  ];
}

async function readDir(dir: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(dir)) names.push(name);
  } catch {
    // nothing for this host, or nothing that this user may read
  }
  return names.sort();
}

async function readable(file: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(file);
  } catch {
    return undefined;
  }
}
