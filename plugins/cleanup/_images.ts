import { matchName } from "../../lib/glob.ts";
import { formatDuration } from "../../lib/quantity.ts";
import { ageOf, keep, nearly } from "../../core/contract/reasons.ts";
import type { Inventory, InventoryImage, Keep } from "../../core/contract/plugin.ts";

/** Schemes whose tags are made from git. */
export const GIT_SCHEMES: readonly string[] = ["git_branch", "git_tag", "git_commit"];

/** Newest first; of equally old ones the order is fixed by name. */
function newestFirst(images: readonly InventoryImage[]): readonly InventoryImage[] {
  return images.map((image) => ({ image, at: Date.parse(image.publishedAt) }))
    .sort((a, b) => b.at - a.at || (a.image.reference < b.image.reference ? -1 : 1))
    .map(({ image }) => image);
}

/** Which images a rule is about, and how many of them it keeps. */
export interface Limits {
  readonly images: readonly InventoryImage[];
  readonly inventory: Inventory;
  /** Milliseconds; older images go. */
  readonly maxAge?: number | undefined;
  /** Of each group the newest so many. */
  readonly last?: number | undefined;
  /** What counts as one group. @default the dimg */
  readonly by?: (image: InventoryImage) => string;
}

/** Keeps the newest images of each group that are not too old, and says of the others why they are not among them. */
export function keepNewest(
  { images, inventory, maxAge, last, by = (image) => image.dimg }: Limits,
  rule: string | ((image: InventoryImage) => string),
  say: (image: InventoryImage) => string,
): readonly Keep[] {
  const words = [
    ...last === undefined ? [] : [`among the newest ${last}`],
    ...maxAge === undefined ? [] : [`not older than ${formatDuration(maxAge)}`],
  ].map((text) => `, ${text}`).join("");
  return [...Map.groupBy(images, by).values()].flatMap((group) => {
    let rank = 0;
    return newestFirst(group).map((image): Keep => {
      if (maxAge !== undefined && ageOf(image, inventory) > maxAge) {
        return nearly(image, "too old", `${say(image)}, but older than ${formatDuration(maxAge)}`);
      }
      rank++;
      return last !== undefined && rank > last
        ? nearly(
          image,
          "enough newer ones",
          `${say(image)}, but ${ordinal(rank)} newest, the rule keeps ${last}`,
        )
        : keep(image, typeof rule === "string" ? rule : rule(image), say(image) + words);
    });
  });
}

/** 1 → "1st", 12 → "12th", 23 → "23rd". */
export function ordinal(n: number): string {
  const word = new Intl.PluralRules("en", { type: "ordinal" }).select(n);
  return `${n}${{ one: "st", two: "nd", few: "rd", many: "th", other: "th", zero: "th" }[word]}`;
}

/** Whether any pattern matches; all match when there are none. */
export function matchesAny(patterns: readonly string[] | undefined, name: string): boolean {
  return patterns === undefined || patterns.some((pattern) => matchName(pattern, name));
}

/** Whether any pattern matches the tag, alone or as it stands in a flat repository; all match when there are none. */
export function tagMatches(
  patterns: readonly string[] | undefined,
  { tag, ownTag }: Pick<InventoryImage, "tag" | "ownTag">,
): boolean {
  return matchesAny(patterns, ownTag) || matchesAny(patterns, tag);
}

/** Outside of git nothing can be told about branches, tags and commits, so all their images stay. */
export function keepWithoutGit(images: readonly InventoryImage[]): readonly Keep[] {
  return images.map((image) => keep(image, "no git", "the project is not in a git repository here"));
}
