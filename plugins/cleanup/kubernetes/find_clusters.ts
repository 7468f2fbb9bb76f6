import { accessInPod, accessTo, type ClusterAccess } from "./access.ts";
import { listOf, waysIn } from "./contexts.ts";
import type { ExecContext } from "./exec.ts";
import { type KubeconfigPlaces, readKubeconfigs } from "./files.ts";
import { unknown } from "./unknown.ts";

/** Which clusters are wanted. */
export interface ClusterChoice {
  /** Names of contexts; all when left out. */
  readonly contexts?: readonly string[] | undefined;
  /** Whether it is a failure that no cluster is named anywhere. */
  readonly required: boolean;
  readonly exec: ExecContext;
}

/** `none`: nothing speaks of Kubernetes. `lost`: KUBECONFIG names a file that is not there. */
export type FoundClusters =
  | { readonly kind: "clusters"; readonly clusters: readonly ClusterAccess[] }
  | { readonly kind: "none" }
  | { readonly kind: "lost"; readonly path: string };

/**
 * The clusters that kubeconfig files describe; without such a file, or where none of them has a context, the one that this
 * is a pod of.
 *
 * @throws {EngineError} PLUGIN_FAILED for everything that is missing or not understood
 */
export async function findClusters(
  places: KubeconfigPlaces,
  { contexts, required, exec }: ClusterChoice,
): Promise<FoundClusters> {
  const { files, missing } = await readKubeconfigs(places);
  const [path] = missing;
  if (path !== undefined) {
    if (required) {
      throw unknown(`KUBECONFIG names "${path}", which does not exist`, "Correct or unset KUBECONFIG");
    }
    return { kind: "lost", path };
  }
  const ways = waysIn(files, contexts);
  if (ways.length > 0) {
    return { kind: "clusters", clusters: await Promise.all(ways.map((way) => accessTo(way, exec))) };
  }
  const current = files.find((file) => file.current !== undefined);
  if (current) {
    throw unknown(`there is no context in ${listOf(files)}, where "${current.current}" is the current one`);
  }
  const pod = places.file === undefined ? await accessInPod(places.env) : undefined;
  if (pod) return { kind: "clusters", clusters: [pod] };
  if (files.length > 0) throw unknown(`there is no context in ${listOf(files)}`);
  if (!required) return { kind: "none" };
  throw unknown(
    "there is no kubeconfig, wanted is one in KUBECONFIG or ~/.kube/config",
    "Set KUBECONFIG, or leave Kubernetes out with --without-kube",
  );
}
