import { EngineError, messageOf } from "../../../core/contract/plugin.ts";

/** How one cluster is reached. */
export interface ClusterAccess {
  /** Name of the context, for people. */
  readonly context: string;
  readonly server: string;
  readonly ca?: string;
  readonly insecure: boolean;
  readonly serverName?: string;
  /** Client certificate and key, PEM. */
  readonly cert?: string;
  readonly key?: string;
  /** Value of the Authorization header. */
  readonly authorization?: string;
}

interface Named {
  readonly name: string;
  readonly [kind: string]: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

export interface KubeconfigOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here. */
  readonly projectDir: string;
  /** A file instead of KUBECONFIG and ~/.kube/config. */
  readonly file?: string | undefined;
  /** Names of contexts; undefined = all. */
  readonly contexts?: readonly string[] | undefined;
  readonly signal: AbortSignal;
}

const ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The clusters that kubeconfig files describe, each way to reach one once; inside a cluster without such a file, that
 * one. Undefined when there is neither.
 *
 * @throws {EngineError} PLUGIN_FAILED when a file is damaged or a context is not in it
 */
export async function readClusters(
  options: KubeconfigOptions,
): Promise<readonly ClusterAccess[] | undefined> {
  const { env } = options;
  const listed = options.file ?? (env.KUBECONFIG || (env.HOME ? `${env.HOME}/.kube/config` : ""));
  const files = options.file === undefined ? listed.split(":").filter((f) => f !== "") : [listed];
  const documents: { readonly dir: string; readonly value: Fields }[] = [];
  for (const name of files) {
    const path = name.startsWith("/") ? name : `${options.projectDir}/${name}`;
    const text = await Deno.readTextFile(path).catch((error) => {
      if (error instanceof Deno.errors.NotFound && options.file === undefined) return undefined;
      throw fail(`cannot read "${path}": ${messageOf(error)}`);
    });
    if (text === undefined) continue;
    const { parse } = await import("yaml");
    const value: unknown = readYaml(parse, text, path);
    if (isFields(value)) documents.push({ dir: path.slice(0, path.lastIndexOf("/")), value });
    else throw fail(`"${path}" is no map`);
  }
  if (documents.length === 0) return await inCluster(env);
  // The first file that has a name decides, as kubectl does it.
  const find = (list: string, kind: string, name: string) => {
    for (const { dir, value } of documents) {
      const found = namedOf(value[list]).find((each) => each.name === name)?.[kind];
      if (isFields(found)) return { dir, value: found };
    }
    throw fail(`there is no ${kind} "${name}"`);
  };
  const all = [...new Set(documents.flatMap(({ value }) => namedOf(value.contexts).map(({ name }) => name)))];
  const missing = options.contexts?.find((name) => !all.includes(name));
  if (missing !== undefined) {
    throw fail(`there is no context "${missing}", there are ${all.join(", ") || "none"}`);
  }
  const seen = new Set<string>();
  const clusters: ClusterAccess[] = [];
  for (const name of options.contexts ?? all) {
    const context = find("contexts", "context", name).value;
    const [cluster, user] = [String(context.cluster), context.user === undefined ? "" : String(context.user)];
    if (seen.has(`${cluster} ${user}`)) continue;
    seen.add(`${cluster} ${user}`);
    const credentials = user === "" ? { dir: "", value: {} } : find("users", "user", user);
    clusters.push({
      context: name,
      ...await clusterOf(find("clusters", "cluster", cluster)),
      ...await userOf(credentials, options),
    });
  }
  return clusters;
}

function readYaml(parse: typeof import("yaml").parse, text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw fail(`"${path}" is damaged: ${messageOf(error)}`);
  }
}

type Found = { readonly dir: string; readonly value: Fields };

async function clusterOf(
  found: Found,
): Promise<Pick<ClusterAccess, "server" | "ca" | "insecure" | "serverName">> {
  const { value } = found;
  const ca = await dataOrFile(found, "certificate-authority");
  return {
    server: String(value.server).replace(/\/+$/, ""),
    insecure: value["insecure-skip-tls-verify"] === true,
    ...(ca !== undefined && { ca }),
    ...(typeof value["tls-server-name"] === "string" && { serverName: value["tls-server-name"] }),
  };
}

async function userOf(
  found: Found,
  options: KubeconfigOptions,
): Promise<Pick<ClusterAccess, "cert" | "key" | "authorization">> {
  const { value, dir } = found;
  const [cert, key] = [await dataOrFile(found, "client-certificate"), await dataOrFile(found, "client-key")];
  const file = value.tokenFile;
  const token = typeof file === "string"
    ? (await readFile(dir, file)).trim()
    : typeof value.token === "string"
    ? value.token
    : undefined;
  const pair = { ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
  if (token !== undefined) return { ...pair, authorization: `Bearer ${token}` };
  if (typeof value.username === "string") {
    return { ...pair, authorization: `Basic ${btoa(`${value.username}:${String(value.password ?? "")}`)}` };
  }
  return isFields(value.exec) ? { ...pair, ...await execCredential(value.exec, dir, options) } : pair;
}

/** Runs a credential plugin (client.authentication.k8s.io/v1). */
async function execCredential(
  exec: Fields,
  dir: string,
  { env, signal }: KubeconfigOptions,
): Promise<Pick<ClusterAccess, "cert" | "key" | "authorization">> {
  const name = String(exec.command);
  const command = name.includes("/") && !name.startsWith("/") ? `${dir}/${name}` : name;
  const apiVersion = String(exec.apiVersion ?? "client.authentication.k8s.io/v1");
  const info = { apiVersion, kind: "ExecCredential", spec: { interactive: false } };
  const extra = namedOf(exec.env).map((row) => [row.name, String(row.value ?? "")] as const);
  const own = Object.entries(env).filter((row): row is [string, string] => row[1] !== undefined);
  try {
    const output = await new Deno.Command(command, {
      args: Array.isArray(exec.args) ? exec.args.map(String) : [],
      clearEnv: true,
      env: {
        ...Object.fromEntries(own),
        ...Object.fromEntries(extra),
        KUBERNETES_EXEC_INFO: JSON.stringify(info),
      },
      stdin: "null",
      signal,
    }).output();
    if (!output.success) {
      throw new Error(new TextDecoder().decode(output.stderr).trim() || `code ${output.code}`);
    }
    const answer: unknown = JSON.parse(new TextDecoder().decode(output.stdout));
    const status = isFields(answer) && isFields(answer.status) ? answer.status : {};
    const { token, clientCertificateData: cert, clientKeyData: key } = status;
    return {
      ...(typeof cert === "string" && { cert }),
      ...(typeof key === "string" && { key }),
      ...(typeof token === "string" && { authorization: `Bearer ${token}` }),
    };
  } catch (error) {
    throw fail(`credential plugin "${command}" failed: ${messageOf(error)}`);
  }
}

/** The account that Kubernetes gives every pod. */
async function inCluster(
  env: KubeconfigOptions["env"],
): Promise<readonly ClusterAccess[] | undefined> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = "443" } = env;
  if (!host) return undefined;
  const token = (await readFile(ACCOUNT, "token")).trim();
  return [{
    context: "in cluster",
    server: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    ca: await readFile(ACCOUNT, "ca.crt"),
    insecure: false,
    authorization: `Bearer ${token}`,
  }];
}

async function dataOrFile({ dir, value }: Found, key: string): Promise<string | undefined> {
  const data = value[`${key}-data`];
  if (typeof data === "string") return atob(data);
  const path = value[key];
  return typeof path === "string" ? await readFile(dir, path) : undefined;
}

async function readFile(dir: string, path: string): Promise<string> {
  const full = path.startsWith("/") ? path : `${dir}/${path}`;
  return await Deno.readTextFile(full).catch((error) => {
    throw fail(`cannot read "${full}": ${messageOf(error)}`);
  });
}

function namedOf(list: unknown): readonly Named[] {
  return Array.isArray(list)
    ? list.filter((each) => isFields(each) && typeof each.name === "string") as Named[]
    : [];
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fail(why: string): EngineError {
  return new EngineError("PLUGIN_FAILED", `Cannot find out what runs in Kubernetes: ${why}`, {
    fix: "Correct the kubeconfig, or leave Kubernetes out with --without-kube",
  });
}
