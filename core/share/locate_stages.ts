import type { CachedTops } from "../plan/plan.ts";
import { imagesOf } from "../plan/plan.ts";
import type { SignedGraph, SignedImage } from "../sign/sign.ts";
import type { FoundStage, StageFinder } from "./stage_finder.ts";
import { groupBy } from "../../lib/group_by.ts";

/** The highest stage of an image that is in a registry. */
export interface LocatedStage {
  readonly index: number;
  readonly found: FoundStage;
}

/**
 * Finds, for the images that a build of `roots` touches, the highest stage in a registry above the highest one in the
 * store. One look-up for an image that is finished there; `each` is called as soon as an image is looked up, and its
 * answer, when it is a number, is where the image really stands.
 */
export async function locateStages(
  signed: SignedGraph,
  tops: CachedTops,
  roots: ReadonlySet<string>,
  finder: Pick<StageFinder, "find">,
  each: (image: SignedImage, located: readonly LocatedStage[]) => Promise<number | void> = async () => {},
): Promise<ReadonlyMap<string, LocatedStage>> {
  const needed = new Set(roots);
  const out = new Map<string, LocatedStage>();
  const done = new Map<string, Promise<void>>();
  const users = usersOf(signed);
  // Later images need earlier ones, so an image waits for those after it that use it.
  for (const image of [...signed.images].reverse()) {
    const { key } = image.node;
    done.set(
      key,
      (async () => {
        await Promise.all(users.get(key)?.map((user) => done.get(user)) ?? []);
        if (!needed.has(key)) return;
        let top = tops.get(key)?.index ?? -1;
        if (top < image.stages.length - 1) {
          const located = await lookUp(image, top, finder);
          const used = await each(image, located) ?? located[0]?.index ?? top;
          const stage = located.find(({ index }) => index === used);
          if (stage) out.set(key, stage);
          top = Math.max(top, used);
        }
        for (const stage of image.stages.slice(top + 1)) {
          for (const other of imagesOf(image, stage)) needed.add(other);
        }
      })(),
    );
  }
  await Promise.all(done.values());
  return out;
}

/** Keys of the images that stand on an image or import from it, by its key. */
function usersOf({ images }: SignedGraph): ReadonlyMap<string, readonly string[]> {
  const uses = images.flatMap((image) => {
    const used = new Set(image.stages.flatMap((stage) => imagesOf(image, stage)));
    return Array.from(used, (key) => ({ key, user: image.node.key }));
  });
  const users = new Map<string, string[]>();
  for (const [key, rows] of groupBy(uses, (use) => use.key)) users.set(key, rows.map(({ user }) => user));
  return users;
}

/** The stages above `top` that are there, highest first. The last is asked for alone: usually it is there, or few are. */
async function lookUp(
  image: SignedImage,
  top: number,
  finder: Pick<StageFinder, "find">,
): Promise<readonly LocatedStage[]> {
  const last = image.stages.length - 1;
  const found = await finder.find(image.stages[last]!.signature);
  if (found) return [{ index: last, found }];
  const rest = await Promise.all(
    image.stages.slice(top + 1, last).map(async ({ signature }, i) => ({
      index: top + 1 + i,
      found: await finder.find(signature),
    })),
  );
  return rest.filter((row): row is LocatedStage => row.found !== undefined).reverse();
}
