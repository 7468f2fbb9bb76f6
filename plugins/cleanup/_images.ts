import { matchName } from "../../lib/glob.ts";
import { formatDuration } from "../../lib/quantity.ts";
import type { Inventory, InventoryImage, Keep } from "../../core/contract/plugin.ts";

/** Schemes whose tags are made from git. */
export const GIT_SCHEMES: readonly string[] = ["git_branch", "git_tag", "git_commit"];

/** Age in milliseconds; what the future made is as young as can be. */
export function ageOf(image: InventoryImage, inventory: Inventory): number {
  return Math.max(0, Date.parse(inventory.now) - Date.parse(image.publishedAt));
}

/** Newest first; of equally old ones the order is fixed by name. */
function newestFirst(images: readonly InventoryImage[]): readonly InventoryImage[] {
  return images.toSorted((a, b) =>
    Date.parse(b.publishedAt) - Date.parse(a.publishedAt) || (a.reference < b.reference ? -1 : 1)
  );
}

/** What an age and a count leave over. */
export interface Limits {
  /** Milliseconds; older images are passed over. */
  readonly maxAge?: number | undefined;
  /** Of each group the newest so many. */
  readonly last?: number | undefined;
  /** What counts as one group. @default the dimg */
  readonly by?: (image: InventoryImage) => string;
}

/** The newest images of each group that are not too old, with the words for it. */
export function newest(
  images: readonly InventoryImage[],
  inventory: Inventory,
  { maxAge, last, by = (image) => image.dimg }: Limits,
): readonly { readonly image: InventoryImage; readonly words: string }[] {
  const young = images.filter((image) => maxAge === undefined || ageOf(image, inventory) <= maxAge);
  const words = [
    ...last === undefined ? [] : [`among the newest ${last}`],
    ...maxAge === undefined ? [] : [`not older than ${formatDuration(maxAge)}`],
  ].map((text) => `, ${text}`).join("");
  return [...Map.groupBy(young, by).values()].flatMap((group) =>
    newestFirst(group).slice(0, last ?? group.length).map((image) => ({ image, words }))
  );
}

/** Whether any pattern matches; all match when there are none. */
export function matchesAny(patterns: readonly string[] | undefined, name: string): boolean {
  return patterns === undefined || patterns.some((pattern) => matchName(pattern, name));
}

/** A reason to keep an image. */
export function keep(image: InventoryImage, rule: string, why: string): Keep {
  return { reference: image.reference, rule, why };
}

/** Outside of git nothing can be told about branches, tags and commits, so all their images stay. */
export function keepWithoutGit(images: readonly InventoryImage[]): readonly Keep[] {
  return images.map((image) => keep(image, "no git", "the project is not in a git repository here"));
}
