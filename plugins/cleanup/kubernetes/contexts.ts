import type { Kubeconfig } from "./files.ts";
import type { KubeCluster, KubeUser } from "./schema.ts";
import { unknown } from "./unknown.ts";

/** A way to a cluster that a kubeconfig describes. */
export interface KubeWay {
  /** For people: `context "prod" of "/home/me/.kube/config"`. */
  readonly name: string;
  readonly cluster: KubeCluster;
  readonly user: KubeUser | undefined;
}

type Kind = "cluster" | "user";

/**
 * Every way that the contexts of these files describe, each once.
 *
 * A name means what the first file says that has it, as for kubectl. Two files that were made for two clusters may use the
 * same names by accident, as all files of kubeadm do, and kubectl then sees the first cluster alone. Here a context that
 * an earlier one hides is read too, and a name of which the first file's meaning serves other contexts keeps its own
 * meaning in a file that has one. So only a definition put in front for nothing else overrides.
 *
 * @param names only contexts with these names
 * @throws {EngineError} PLUGIN_FAILED when a context is not there, or names something that is not
 */
export function waysIn(
  files: readonly Kubeconfig[],
  names: readonly string[] | undefined,
): readonly KubeWay[] {
  const all = [...new Set(files.flatMap(({ contexts }) => [...contexts.keys()]))];
  const absent = names?.find((name) => !all.includes(name));
  if (absent !== undefined) {
    throw unknown(
      `there is no context "${absent}" in ${listOf(files)}, there are ${all.join(", ") || "none"}`,
      "Correct `contexts` in keep-kubernetes",
    );
  }
  const ways = new Map<string, KubeWay>();
  for (const file of files) {
    for (const [context, { cluster, user }] of file.contexts) {
      if (names && !names.includes(context)) continue;
      const name = `context "${context}" of "${file.path}"`;
      if (cluster === undefined) throw unknown(`${name} names no cluster`, staleFix(context));
      const find = <T>(
        kind: Kind,
        wanted: string,
        entries: (file: Kubeconfig) => ReadonlyMap<string, T>,
      ): T => {
        const holders = files.filter((each) => entries(each).has(wanted));
        const [first] = holders;
        if (!first) {
          throw unknown(`${name} names ${kind} "${wanted}", which is nowhere`, staleFix(context));
        }
        const used = files.some((each) =>
          each !== file && (each === first || !holders.includes(each)) && uses(each, kind, wanted)
        );
        return entries(holders.includes(file) && used ? file : first).get(wanted)!;
      };
      const way = {
        name,
        cluster: find("cluster", cluster, (each) => each.clusters),
        user: user === undefined ? undefined : find("user", user, (each) => each.users),
      };
      const key = JSON.stringify([way.cluster, way.user]);
      if (!ways.has(key)) ways.set(key, way);
    }
  }
  return [...ways.values()];
}

function uses({ contexts }: Kubeconfig, kind: Kind, name: string): boolean {
  return [...contexts.values()].some((context) => context[kind] === name);
}

/** Paths, quoted. */
export function listOf(files: readonly Kubeconfig[]): string {
  return files.map(({ path }) => `"${path}"`).join(", ");
}

function staleFix(context: string): string {
  return `Remove it with: kubectl config delete-context ${context}; or name the contexts to ask in keep-kubernetes`;
}
