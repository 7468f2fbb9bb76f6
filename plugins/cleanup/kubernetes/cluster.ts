import { textsAt } from "../_json_path.ts";
import { namesImage, type UsedImage } from "../_in_use.ts";
import type { ClusterAccess } from "./access.ts";
import { type ApiContext, KubeApi } from "./api.ts";
import { listAll, type Listed, refusal } from "./list.ts";
import { type Resource, within } from "./resources.ts";

/** What of a cluster is read. */
export interface Scan extends ApiContext {
  readonly resources: readonly Resource[];
  /** Everything in the cluster when left out. */
  readonly namespaces?: readonly string[] | undefined;
}

/**
 * Every image that objects of a cluster name. All lists must be readable, to their end.
 *
 * @throws {EngineError} PLUGIN_FAILED
 */
export async function imagesIn(access: ClusterAccess, scan: Scan): Promise<readonly UsedImage[]> {
  await using api = await KubeApi.open(access, scan);
  if (!scan.namespaces) return (await scanLists(api, scan.resources, (path) => path)).found;
  const found: UsedImage[] = [];
  for (const namespace of scan.namespaces) {
    const known = await exists(api, namespace);
    const listed = await scanLists(api, scan.resources, (path) => within(path, namespace));
    if (!known && listed.objects === 0) {
      throw api.fail(
        `namespace "${namespace}" seems empty, and this user may not see whether there is one`,
        "Correct `namespaces` in keep-kubernetes, or let this user get namespaces",
      );
    }
    found.push(...listed.found);
  }
  return found;
}

/** False when this user may not know; lists of a namespace that does not exist are empty, and say nothing. */
async function exists(api: KubeApi, namespace: string): Promise<boolean> {
  const path = `/api/v1/namespaces/${namespace}`;
  const answer = await api.get(path);
  if (answer.status === 200) return true;
  if (answer.status === 403) return false;
  if (answer.status !== 404) throw refusal(api, path, answer);
  throw api.fail(`there is no namespace "${namespace}"`, "Correct `namespaces` in keep-kubernetes");
}

async function scanLists(
  api: KubeApi,
  resources: readonly Resource[],
  place: (path: string) => string,
): Promise<Listed<UsedImage>> {
  const lists = await Promise.all(resources.map((resource) => scanList(api, resource, place)));
  return {
    objects: lists.reduce((sum, { objects }) => sum + objects, 0),
    found: lists.flatMap(({ found }) => found),
  };
}

async function scanList(
  api: KubeApi,
  resource: Resource,
  place: (path: string) => string,
): Promise<Listed<UsedImage>> {
  for (const path of resource.paths.map(place)) {
    const listed = await listAll(api, path, (object) => namesIn(object, resource, { api, path }));
    if (!listed) continue;
    if (resource.listed && listed.objects > 0 && !listed.found.some(({ name }) => namesImage(name))) {
      const where = resource.images ? "where `images` in keep-kubernetes says" : "in any `image`";
      throw api.fail(
        `nothing in ${path} names an image ${where}, and it is not empty (${listed.objects} there)`,
        "Correct `images` of that resource, or leave it out of `resources`",
      );
    }
    return listed;
  }
  throw api.fail(
    `it does not know ${resource.paths.map(place).join(" or ")}`,
    "Correct `resources` in keep-kubernetes, or name the contexts of clusters that know it",
  );
}

function namesIn(
  object: unknown,
  { images, listed }: Resource,
  { api, path }: { readonly api: KubeApi; readonly path: string },
): readonly UsedImage[] {
  const { metadata } = object as { metadata?: { name?: unknown; namespace?: unknown } };
  const kind = path.slice(path.lastIndexOf("/") + 1).replace(/s$/, "");
  const name = [metadata?.namespace, metadata?.name].filter(Boolean).join("/");
  const by = `${kind} ${name} in ${api.access.name}`;
  const texts = images ? textsAt(object, images).flatMap(words) : imageNames(object);
  return [...new Set(texts)].map((text) => ({ name: text, by, ...(listed && { everyTag: true }) }));
}

/** Names may stand in a text that says more: `--image=shop/app:1`, `a:1,b:2`. */
function words(text: string): readonly string[] {
  return text.split(/[\s,;="']+/).filter((word) => word !== "");
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
