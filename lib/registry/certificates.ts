import { whyFailed } from "../file_failure.ts";
import { RegistryError } from "./errors.ts";
import type { Env } from "./http.ts";

/** What a TLS connection to one host needs beside the certificates that are always trusted. PEM texts. */
export interface HostCertificates {
  readonly ca?: string[];
  readonly cert?: string;
  readonly key?: string;
  /** What is wrong with files that were left out, such as `"/etc/docker/certs.d/host/ca.crt" holds no certificate`. */
  readonly unusable?: readonly string[];
}

/**
 * Authorities from `SSL_CERT_FILE`, `DENO_CERT` and `<host[:port]>/*.crt`, and the client certificate `*.cert` with the
 * `*.key` of the same name, from the directories of docker and podman (containers-certs.d(5), the user's first). What
 * cannot be used there is left out, and told: many hosts do without.
 *
 * @throws {RegistryError} when a file that a variable names cannot be read, which it cannot the next time either
 */
export async function hostCertificates(env: Env, host: string): Promise<HostCertificates> {
  const [texts, kept] = await Promise.all([
    Promise.all(VARIABLES.map((name) => authoritiesOf(name, env[name]))),
    Promise.all(directories(env).map((base) => certificatesIn(`${base}/${host}`))),
  ]);
  const all = [...texts, ...kept];
  const [ca, unusable] = [all.flatMap(({ ca }) => ca), all.flatMap(({ unusable }) => unusable)];
  return {
    ...(ca.length > 0 && { ca }),
    ...kept.flatMap(({ pairs }) => pairs)[0],
    ...(unusable.length > 0 && { unusable }),
  };
}

/** A client certificate with its key. */
type Pair = Required<Pick<HostCertificates, "cert" | "key">>;

interface Kept {
  readonly ca: readonly string[];
  readonly pairs: readonly Pair[];
  readonly unusable: readonly string[];
}

async function certificatesIn(dir: string): Promise<Kept> {
  const files = await readDir(dir);
  const unusable: string[] = [];
  const read = async <T>(name: string, use: (text: string) => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await use(await readText(`${dir}/${name}`));
    } catch (error) {
      if (!(error instanceof Unusable)) throw error;
      unusable.push(`"${dir}/${name}" ${error.message}`);
      return undefined;
    }
  };
  const named = (end: string) => files.filter((name) => name.endsWith(end));
  const ca: string[] = [];
  for (const name of named(".crt")) {
    const text = await read(name, certificates);
    if (text !== undefined) ca.push(text);
  }
  const pairs: Pair[] = [];
  for (const name of named(".cert")) {
    const pair = await read(name, async (text) => {
      const cert = certificates(text);
      const key = name.replace(/cert$/, "key");
      if (!files.includes(key)) throw new Unusable(`has no key beside it: "${key}"`);
      return await read(key, async (text) => ({ cert, key: await keyOf(cert, text) }));
    });
    if (pair) pairs.push(pair);
  }
  for (const key of named(".key")) {
    const cert = key.replace(/key$/, "cert");
    if (!files.includes(cert)) unusable.push(`"${dir}/${key}" has no certificate beside it: "${cert}"`);
  }
  return { ca, pairs, unusable };
}

/** What is wrong with a file, as what follows its name. */
class Unusable extends Error {}

const CERTIFICATE =
  /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----([\s\S]*?)-----END (?:X509 |TRUSTED )?CERTIFICATE-----/g;

const KEY = /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----([\s\S]*?)-----END (?:[A-Z]+ )*PRIVATE KEY-----/;

/** The certificates of a PEM text. @throws {Unusable} when there is none, or one is damaged: TLS says no more than that nothing can be verified */
function certificates(text: string): string {
  const all = [...text.matchAll(CERTIFICATE)];
  if (all.length === 0) throw new Unusable("holds no certificate");
  for (const [, inner] of all) {
    if (!isDer(inner!)) throw new Unusable("holds a damaged certificate");
  }
  return text;
}

/** Whether a text is the base64 of one whole value of ASN.1, which a certificate is (RFC 5280, 4.1; X.690, 8.1). */
function isDer(base64: string): boolean {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.fromBase64(base64.replace(/\s+/g, ""));
  } catch {
    return false;
  }
  const first = bytes[1] ?? 0;
  const long = first > 0x80 ? first - 0x80 : 0;
  const length = long === 0 ? first : bytes.slice(2, 2 + long).reduce((sum, byte) => sum * 256 + byte, 0);
  return bytes[0] === 0x30 && long <= 4 && bytes.length === 2 + long + length;
}

/** The text of the key of a certificate. @throws {Unusable} when it is not */
async function keyOf(cert: string, text: string): Promise<string> {
  const key = KEY.exec(text);
  if (!key) throw new Unusable("holds no private key");
  if (/ENCRYPTED/.test(key[0])) {
    throw new Unusable("holds a key that wants a password, which cannot be given");
  }
  if (!isDer(key[1]!)) throw new Unusable("holds a damaged key");
  const { createPrivateKey, X509Certificate } = await import("node:crypto");
  let fits: boolean | undefined;
  try {
    fits = new X509Certificate(cert).checkPrivateKey(createPrivateKey(text));
  } catch {
    // of a kind that TLS may know all the same
  }
  if (fits === false) throw new Unusable("is the key of another certificate");
  return text;
}

/** Variables that name files of authorities. */
const VARIABLES = ["SSL_CERT_FILE", "DENO_CERT"] as const;

async function authoritiesOf(
  variable: typeof VARIABLES[number],
  file = "",
): Promise<Pick<Kept, "ca" | "unusable">> {
  if (file === "") return { ca: [], unusable: [] };
  try {
    return { ca: [certificates(await Deno.readTextFile(file))], unusable: [] };
  } catch (error) {
    if (error instanceof Unusable) {
      return { ca: [], unusable: [`"${file}", which ${variable} names, ${error.message}`] };
    }
    throw new RegistryError(
      `Cannot reach registries: ${variable} names "${file}", which ${whyUnread(error)}`,
      {
        kind: "refused",
        variable,
        cause: error,
      },
    );
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

/** @throws {Unusable} */
async function readText(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new Unusable(whyUnread(error));
  }
}

/** Why a file is not read, as what follows its name. */
function whyUnread(error: unknown): string {
  return error instanceof Deno.errors.NotFound
    ? "does not exist"
    : error instanceof Deno.errors.IsADirectory
    ? "is a directory"
    : error instanceof Deno.errors.PermissionDenied
    ? "may not be read by this user"
    : `cannot be read: ${whyFailed(error)}`;
}
