import { messageOf } from "../../../core/contract/plugin.ts";
import type { KubeWay } from "./contexts.ts";
import { type ExecContext, execCredential } from "./exec.ts";
import type { KubeCluster, KubeUser } from "./schema.ts";
import { unknown } from "./unknown.ts";

/** All that a request to one cluster needs. */
export interface ClusterAccess {
  /** For people: `context "prod" of "/home/me/.kube/config"`. */
  readonly name: string;
  /** Without a slash at the end. */
  readonly server: string;
  readonly tls: TlsSettings;
  readonly headers: Readonly<Record<string, string | string[]>>;
  /** Instead of what the environment says. */
  readonly proxy?: string;
  /** Whether answers may be compressed. */
  readonly compression: boolean;
}

/** In the words of `node:tls`; PEM texts. */
export interface TlsSettings {
  readonly rejectUnauthorized: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

type Pair = Pick<TlsSettings, "cert" | "key">;

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Reads the files and runs the credential plugin that a way needs.
 *
 * @throws {EngineError} PLUGIN_FAILED when anything of it is missing or not understood
 */
export async function accessTo({ name, cluster, user }: KubeWay, exec: ExecContext): Promise<ClusterAccess> {
  const ca = await dataOrFile(cluster, "certificate-authority", name);
  const { headers, ...pair } = user ? await credentials(user, name, { cluster, ca, exec }) : { headers: {} };
  const secure = ca !== undefined || pair.cert !== undefined || cluster["insecure-skip-tls-verify"];
  return {
    name,
    server: serverUrl(cluster.server, name, secure),
    tls: {
      rejectUnauthorized: !cluster["insecure-skip-tls-verify"],
      ...(ca !== undefined && { ca }),
      ...pair,
      ...(cluster["tls-server-name"] !== undefined && { servername: cluster["tls-server-name"] }),
    },
    headers: { ...headers, ...user && impersonation(user, name) },
    ...(cluster["proxy-url"] !== undefined && { proxy: proxyUrl(cluster["proxy-url"], name) }),
    compression: !cluster["disable-compression"],
  };
}

/**
 * The account that Kubernetes gives a pod; undefined outside of one.
 *
 * @throws {EngineError} PLUGIN_FAILED in a pod without an account
 */
export async function accessInPod(
  { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" }: Readonly<
    Record<string, string | undefined>
  >,
): Promise<ClusterAccess | undefined> {
  if (!host) return undefined;
  const name = "the cluster of this pod";
  const read = (file: string) =>
    Deno.readTextFile(`${ACCOUNT}/${file}`).catch((error) => {
      throw unknown(
        `this is a pod without an account, cannot read "${ACCOUNT}/${file}": ${messageOf(error)}`,
        "Give the pod an account that may list workloads, set KUBECONFIG, or leave Kubernetes out with --without-kube",
      );
    });
  return {
    name,
    server: serverUrl(`https://${host.includes(":") ? `[${host}]` : host}:${port}`, name, true),
    tls: { rejectUnauthorized: true, ca: await read("ca.crt") },
    headers: { authorization: `Bearer ${(await read("token")).trim()}` },
    compression: true,
  };
}

async function credentials(
  user: KubeUser,
  name: string,
  { cluster, ca, exec }: {
    readonly cluster: KubeCluster;
    readonly ca: string | undefined;
    readonly exec: ExecContext;
  },
): Promise<Pair & { readonly headers: Readonly<Record<string, string>> }> {
  const pair = pairOf(
    await dataOrFile(user, "client-certificate", name),
    await dataOrFile(user, "client-key", name),
    name,
  );
  const provider = user["auth-provider"];
  const token = await tokenOf(user, name) ?? (provider?.name === "oidc" ? provider.config?.["id-token"] : "");
  if (token) return { ...pair, headers: { authorization: `Bearer ${token}` } };
  if (provider) {
    throw unknown(
      `the user of ${name} logs in with the auth provider "${provider.name}", wanted is a token, a certificate or \`exec\``,
    );
  }
  if (user.username !== undefined || user.password !== undefined) {
    const plain = new TextEncoder().encode(`${user.username ?? ""}:${user.password ?? ""}`);
    return { ...pair, headers: { authorization: `Basic ${plain.toBase64()}` } };
  }
  if (pair.cert !== undefined || !user.exec) return { ...pair, headers: {} };
  const given = await execCredential(user.exec, { name, cluster, ca }, exec);
  return {
    ...pairOf(given.cert, given.key, name),
    headers: given.token === undefined ? {} : { authorization: `Bearer ${given.token}` },
  };
}

/** A file is newer than what was written down once; without it, that counts. */
async function tokenOf({ token, tokenFile }: KubeUser, name: string): Promise<string | undefined> {
  if (tokenFile === undefined) return token;
  try {
    return (await Deno.readTextFile(tokenFile)).trim() || token;
  } catch (error) {
    if (token !== undefined) return token;
    throw unknown(`cannot read the token "${tokenFile}" of ${name}: ${messageOf(error)}`);
  }
}

function pairOf(cert: string | undefined, key: string | undefined, name: string): Pair {
  if (cert === undefined && key === undefined) return {};
  if (cert === undefined) throw unknown(`${name} has a client key and no certificate for it`);
  if (key === undefined) throw unknown(`${name} has a client certificate and no key for it`);
  return { cert, key };
}

function impersonation(user: KubeUser, name: string): Readonly<Record<string, string | string[]>> {
  const { as, "as-uid": uid, "as-groups": groups, "as-user-extra": extra } = user;
  if (as === undefined) {
    if (uid === undefined && groups.length === 0 && Object.keys(extra ?? {}).length === 0) return {};
    throw unknown(`the user of ${name} has as-uid, as-groups or as-user-extra, and no \`as\``);
  }
  return {
    "impersonate-user": as,
    ...(uid !== undefined && { "impersonate-uid": uid }),
    ...(groups.length > 0 && { "impersonate-group": groups }),
    ...Object.fromEntries(
      Object.entries(extra ?? {}).map(([key, values]) => [
        `impersonate-extra-${encodeURIComponent(key.toLowerCase())}`,
        values,
      ]),
    ),
  };
}

/** A server without a scheme is one of TLS when anything about certificates is said, as for kubectl. */
function serverUrl(server: string | undefined, name: string, secure: boolean): string {
  if (server === undefined) throw unknown(`${name} names a cluster without \`server\``);
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(server) ? server : `${secure ? "https" : "http"}://${server}`;
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw unknown(`the server "${server}" of ${name} is no address, wanted is https://HOST:PORT`);
  }
  return url.href.replace(/\/+$/, "");
}

function proxyUrl(proxy: string, name: string): string {
  const url = URL.parse(proxy);
  if (url && /^(https?|socks5):$/.test(url.protocol)) return proxy;
  throw unknown(`the \`proxy-url\` of ${name} is none, wanted is http://, https:// or socks5:// and a host`);
}

async function dataOrFile<K extends "certificate-authority" | "client-certificate" | "client-key">(
  from: { readonly [field in K | `${K}-data`]: string | undefined },
  field: K,
  name: string,
): Promise<string | undefined> {
  const data = from[`${field}-data`];
  if (data !== undefined) {
    try {
      return new TextDecoder().decode(Uint8Array.fromBase64(data));
    } catch {
      throw unknown(`${field}-data of ${name} is no base64`);
    }
  }
  const path = from[field];
  if (path === undefined) return undefined;
  return await Deno.readTextFile(path).catch((error) => {
    throw unknown(`cannot read ${field} "${path}" of ${name}: ${messageOf(error)}`);
  });
}
