import type { CleanupGit, Inventory, InventoryImage } from "../contract/cleanup.ts";

/** Fewer recorded commits tell nothing. */
const ENOUGH = 5;

/**
 * Whether the remote is plainly not the repository that the images were built from: of the commits that they record it
 * lacks most, also for branches and tags that it has, as a fork does. Undefined when it is the right one, or when nothing
 * can be said; otherwise a sentence.
 */
export async function otherRemote(git: CleanupGit, inventory: Inventory): Promise<string | undefined> {
  const images = inventory.images.filter(({ scheme }) => scheme.startsWith("git_"));
  const commitOf = ({ commit, scheme, value }: InventoryImage) =>
    commit ?? (scheme === "git_commit" ? value : undefined);
  const recorded = new Map(images.map((image) => [commitOf(image), image] as const));
  recorded.delete(undefined);
  if (recorded.size < ENOUGH) return undefined;
  const [branches, tags] = [await git.branches(), await git.tags()];
  const tipOf = ({ scheme, value }: InventoryImage) =>
    scheme === "git_branch" ? branches.get(value) : scheme === "git_tag" ? tags.get(value) : undefined;
  // Images of branches and tags that exist tell most, and what these are at is known without any history.
  const named = images.filter((image) => tipOf(image) !== undefined && commitOf(image) !== undefined);
  const atTip = named.filter((image) => tipOf(image) === commitOf(image));
  if (named.length > 0 && atTip.length * 2 >= named.length) return undefined;
  const [commits, trees] = [await git.commits(), await git.trees()];
  const isKnown = (image: InventoryImage) =>
    commits.has(commitOf(image)!) || (image.tree !== undefined && trees.has(image.tree));
  const known = [...recorded.values()].filter(isKnown).length;
  const knownNamed = named.filter(isKnown).length;
  const lacksMost = known * 2 < recorded.size;
  const plainly = named.length > 0 ? knownNamed * 2 < named.length : known * 10 < recorded.size;
  return lacksMost && plainly
    ? `the remote has ${known} of the ${recorded.size} commits that images here were built from: it seems to be ` +
      "another repository, such as a fork"
    : undefined;
}
