import type { Agent as HttpAgent } from "undici";
import { EngineError, messageOf } from "../../../core/contract/plugin.ts";
import { type JsonPath, textsAt } from "../_json_path.ts";
import type { UsedImage } from "../_in_use.ts";
import type { ClusterAccess } from "./kubeconfig.ts";

/** A list of the API and where its objects name images. */
export interface Resource {
  /** `/apis/apps/v1/deployments`; several are tried in turn when a cluster does not know the first. */
  readonly paths: readonly string[];
  /** Absent: every `image`, `imageID` and volume `reference` anywhere in the object. */
  readonly images?: JsonPath;
}

/**
 * What can hold a pod, in this moment or after a rollback: replica sets and controller revisions are the history that
 * `kubectl rollout undo` goes back to.
 */
export const WORKLOADS: readonly Resource[] = [
  "/api/v1/pods",
  "/api/v1/replicationcontrollers",
  "/apis/apps/v1/deployments",
  "/apis/apps/v1/replicasets",
  "/apis/apps/v1/statefulsets",
  "/apis/apps/v1/daemonsets",
  "/apis/apps/v1/controllerrevisions",
  "/apis/batch/v1/jobs",
].map((path): Resource => ({ paths: [path] })).concat({
  paths: ["/apis/batch/v1/cronjobs", "/apis/batch/v1beta1/cronjobs"],
});

const TIMEOUT_MS = 30_000;
const PAGE = 500;

/**
 * Every image that objects of a cluster name. All lists must be readable, to their end.
 *
 * @throws {EngineError} PLUGIN_FAILED
 */
export async function imagesIn(
  cluster: ClusterAccess,
  resources: readonly Resource[],
  signal: AbortSignal,
): Promise<readonly UsedImage[]> {
  const { Agent } = await import("undici");
  const { ca, cert, key, insecure, serverName } = cluster;
  await using closing = new AsyncDisposableStack();
  const agent = closing.adopt(
    new Agent({
      connections: 4,
      connect: {
        timeout: TIMEOUT_MS,
        rejectUnauthorized: !insecure,
        ...(ca !== undefined && { ca }),
        ...(cert !== undefined && { cert }),
        ...(key !== undefined && { key }),
        ...(serverName !== undefined && { servername: serverName }),
      },
    }),
    (each) => each.destroy(),
  );
  const found = await Promise.all(resources.map(async ({ paths, images }) => {
    for (const path of paths) {
      const objects = await listAll(cluster, agent, { path, signal });
      if (objects) return objects.flatMap((object) => namesIn(object, images, { cluster, path }));
    }
    throw fail(cluster, `it does not know ${paths.join(" or ")}`);
  }));
  return found.flat();
}

/** All objects of a list; undefined when the cluster has no such list. */
async function listAll(
  cluster: ClusterAccess,
  dispatcher: HttpAgent,
  { path, signal }: { readonly path: string; readonly signal: AbortSignal },
): Promise<readonly unknown[] | undefined> {
  const { request } = await import("undici");
  const objects: unknown[] = [];
  for (let next: string | undefined = "";;) {
    const query = `limit=${PAGE}${next ? `&continue=${encodeURIComponent(next)}` : ""}`;
    let status: number;
    let text: string;
    try {
      const answer = await request(`${cluster.server}${path}?${query}`, {
        dispatcher,
        signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
        headers: {
          accept: "application/json",
          "user-agent": "dapp",
          ...(cluster.authorization !== undefined && { authorization: cluster.authorization }),
        },
      });
      [status, text] = [answer.statusCode, await answer.body.text()];
    } catch (error) {
      signal.throwIfAborted();
      throw fail(cluster, `${cluster.server}${path} does not answer: ${messageOf(error)}`);
    }
    if (status === 404 && objects.length === 0) return undefined;
    if (status !== 200) {
      throw fail(cluster, `${cluster.server}${path} answered ${status}: ${text.slice(0, 200)}`);
    }
    const page = parse(text);
    if (!page) throw fail(cluster, `${cluster.server}${path} answered with no list`);
    objects.push(...page.items);
    next = page.next;
    if (!next) return objects;
  }
}

function parse(text: string): { readonly items: readonly unknown[]; readonly next?: string } | undefined {
  try {
    const value = JSON.parse(text) as { items?: unknown; metadata?: { continue?: unknown } } | null;
    // An empty list may be null.
    if (!value || !("items" in value) || !(Array.isArray(value.items) || value.items === null)) {
      return undefined;
    }
    const next = value.metadata?.continue;
    return { items: value.items ?? [], ...(typeof next === "string" && next !== "" && { next }) };
  } catch {
    return undefined;
  }
}

function namesIn(
  object: unknown,
  images: JsonPath | undefined,
  { cluster, path }: { readonly cluster: ClusterAccess; readonly path: string },
): readonly UsedImage[] {
  const { metadata } = object as { metadata?: { name?: unknown; namespace?: unknown } };
  const kind = path.slice(path.lastIndexOf("/") + 1).replace(/s$/, "");
  const name = [metadata?.namespace, metadata?.name].filter(Boolean).join("/");
  const by = `${kind} ${name} in context "${cluster.context}"`;
  return (images ? textsAt(object, images) : imageNames(object)).map((text) => ({ name: text, by }));
}

/** Reading too much only keeps too much; a field that comes with a new release of Kubernetes is not missed. */
function imageNames(value: unknown): readonly string[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, each]) =>
    typeof each === "string"
      ? (["image", "imageID", "reference"].includes(key) ? [each] : [])
      : imageNames(each)
  );
}

function fail({ context }: ClusterAccess, why: string): EngineError {
  return new EngineError(
    "PLUGIN_FAILED",
    `Cannot find out what runs in Kubernetes context "${context}": ${why}`,
    {
      fix: "Make the cluster reachable, name others in keep-kubernetes, or leave it out with --without-kube",
    },
  );
}
