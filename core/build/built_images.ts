import { type ImageNode, imageTitle } from "../sign/graph.ts";
import { EngineError } from "../contract/errors.ts";
import type { BuiltImage } from "../contract/results.ts";
import { type CachedTops, findTops } from "../plan/plan.ts";
import type { LateOptions, LiveCache } from "../share/live_cache.ts";
import { lastStage, type SignedGraph, type SignedImage } from "../sign/sign.ts";
import type { BuiltNeeds } from "./needs.ts";
import { requireBuilt } from "./require_built.ts";

/** The selected images from the store. @throws NOT_BUILT, checked for all of them first */
export async function builtImages(
  session: BuiltNeeds,
  nodes: readonly ImageNode[],
  options: { readonly elsewhere?: boolean } = {},
): Promise<readonly BuiltImage[]> {
  const graph = await session.sign(new Set(nodes.map((node) => node.key)));
  const store = await session.store();
  const tops = await finishedTops(session, graph, nodes, options);
  const { finishImage } = await import("./finish_image.ts");
  const records = nodes.map((node) =>
    requireBuilt(graph.image(node.key), tops, {
      title: imageTitle(node.rule.kind, node.rule.name),
      platform: session.options.platform,
    })
  );
  return await Promise.all(
    nodes.map((node, i) => finishImage(graph.image(node.key), records[i]!, store, { write: true })),
  );
}

/**
 * The highest stages in the store; images that are not finished there are taken from REPO and `--cache-from`, with
 * `unseen` without a look into them.
 */
export async function finishedTops(
  session: BuiltNeeds,
  signed: SignedGraph,
  nodes: readonly ImageNode[],
  { elsewhere = false, ...how }: LateOptions & {
    /** Layers may be in some repository, and stay there. */
    readonly elsewhere?: boolean;
  } = {},
): Promise<CachedTops> {
  const tops = await findTops(signed, await session.store(), () => elsewhere);
  const images = nodes.map(({ key }) => signed.image(key));
  if (isFresh(images, tops)) return tops;
  const cache = await stageSources(session, signed, images, { elsewhere });
  return cache ? await cache.takeFinished(signed, tops, nodes, how) : tops;
}

/** Where stages of images are taken from without a build: REPO, else the place that has them, and `--cache-from`. */
export async function stageSources(
  session: BuiltNeeds,
  signed: SignedGraph,
  images: readonly SignedImage[],
  { elsewhere = false }: { readonly elsewhere?: boolean } = {},
): Promise<LiveCache | undefined> {
  const { repo: option, cacheFrom } = session.options;
  const place = await placeOf(session, images);
  const open = async (repo: string | undefined) => {
    if (repo === undefined && cacheFrom.length === 0) return undefined;
    const { openLiveCache } = await import("../share/open_shared.ts");
    const apart = () => Promise.resolve(elsewhere);
    return await openLiveCache(session, signed, { repo, readOnly: true, apart });
  };
  try {
    return await open(session.repo ?? place);
  } catch (error) {
    // What images are called in a Docker engine need not be the name of a REPO.
    const isCalled = error instanceof EngineError && error.code === "REPO_INVALID" && session.repo !== option;
    if (!isCalled) throw error;
    return await open(place);
  }
}

/** The repository that has what was built here and is not here, if it is but one. */
async function placeOf(
  session: Pick<BuiltNeeds, "store">,
  images: readonly SignedImage[],
): Promise<string | undefined> {
  const { stages } = await session.store();
  const records = await Promise.all(images.map((image) => stages.record(lastStage(image).signature)));
  const [place, another] = new Set(records.flatMap((record) => record?.elsewhere?.repository ?? []));
  return another === undefined ? place : undefined;
}

/** Whether every image's last stage is in the store. */
export function isFresh(images: readonly SignedImage[], tops: CachedTops): boolean {
  return images.every((image) => tops.get(image.node.key)?.index === image.stages.length - 1);
}
