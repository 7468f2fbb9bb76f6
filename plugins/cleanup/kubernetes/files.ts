import { dirname } from "@std/path/posix/dirname";
import { resolve } from "@std/path/posix/resolve";
import { parse } from "@std/yaml/parse";
import { messageOf } from "../../../core/contract/plugin.ts";
import { type KubeCluster, kubeconfigSchema, type KubeContext, type KubeUser } from "./schema.ts";
import { unknown } from "./unknown.ts";

/** Where kubeconfigs are looked for. */
export interface KubeconfigPlaces {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where `file` starts when it is relative. */
  readonly projectDir: string;
  /** A file instead of KUBECONFIG and ~/.kube/config. */
  readonly file?: string | undefined;
}

/** One file. Paths in it are absolute. */
export interface Kubeconfig {
  readonly path: string;
  readonly current: string | undefined;
  readonly contexts: ReadonlyMap<string, KubeContext>;
  readonly clusters: ReadonlyMap<string, KubeCluster>;
  readonly users: ReadonlyMap<string, KubeUser>;
}

/**
 * The kubeconfig files, in their order: the one that the options name, else those of KUBECONFIG, which start in the
 * working directory, else ~/.kube/config if there is one. `missing` are those that KUBECONFIG names and that do not exist.
 *
 * @throws {EngineError} PLUGIN_FAILED for a file that cannot be understood
 */
export async function readKubeconfigs(
  { env, projectDir, file }: KubeconfigPlaces,
): Promise<{ readonly files: readonly Kubeconfig[]; readonly missing: readonly string[] }> {
  if (file !== undefined) {
    const path = resolve(projectDir, file);
    const found = await readKubeconfig(path);
    if (!found) throw unknown(`there is no file "${path}"`, "Correct `kubeconfig` in keep-kubernetes");
    return { files: [found], missing: [] };
  }
  if (env.KUBECONFIG) {
    const names = env.KUBECONFIG.split(":").filter((name) => name !== "");
    if (names.length === 0) throw unknown(`KUBECONFIG is "${env.KUBECONFIG}", which names no file`);
    const paths = [...new Set(names.map((name) => resolve(name)))];
    const read = await Promise.all(paths.map(readKubeconfig));
    return {
      files: read.filter((each) => each !== undefined),
      missing: paths.filter((_, i) => read[i] === undefined),
    };
  }
  const usual = env.HOME ? await readKubeconfig(`${env.HOME}/.kube/config`) : undefined;
  return { files: usual ? [usual] : [], missing: [] };
}

/** Undefined when there is no such file. */
async function readKubeconfig(path: string): Promise<Kubeconfig | undefined> {
  const text = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw unknown(`cannot read "${path}": ${messageOf(error)}`);
  });
  if (text === undefined) return undefined;
  const parsed = kubeconfigSchema.safeParse(readYaml(text, path) ?? {});
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue!.path.map((part) => typeof part === "number" ? `[${part}]` : `.${String(part)}`).join(
      "",
    );
    throw unknown(`"${path}" is no valid kubeconfig: ${where.replace(/^\./, "") || "it"}: ${issue!.message}`);
  }
  const dir = dirname(path);
  const { clusters, users, contexts, "current-context": current } = parsed.data;
  return {
    path,
    current,
    contexts,
    clusters: new Map([...clusters].map(([name, cluster]) => [name, absoluteCluster(cluster, dir)])),
    users: new Map([...users].map(([name, user]) => [name, absoluteUser(user, dir)])),
  };
}

function readYaml(text: string, path: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw unknown(`"${path}" is damaged: ${messageOf(error)}`);
  }
}

function absoluteCluster(cluster: KubeCluster, dir: string): KubeCluster {
  return { ...cluster, "certificate-authority": belowIf(dir, cluster["certificate-authority"]) };
}

function absoluteUser(user: KubeUser, dir: string): KubeUser {
  return {
    ...user,
    tokenFile: belowIf(dir, user.tokenFile),
    "client-certificate": belowIf(dir, user["client-certificate"]),
    "client-key": belowIf(dir, user["client-key"]),
    // A bare name is looked up in PATH.
    ...(user.exec?.command.includes("/") && {
      exec: { ...user.exec, command: resolve(dir, user.exec.command) },
    }),
  };
}

function belowIf(dir: string, path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(dir, path);
}
