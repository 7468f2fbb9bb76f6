import type { Inventory, InventoryStage } from "../contract/cleanup.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import type { PlannedRemoval, RemovalGroup } from "./plan.ts";

/** Tags that go, by digest, in the order in which they are to be removed. */
export function removalGroups(
  tags: readonly PlannedRemoval[],
  { manifests, stages }: Pick<Inventory, "manifests" | "stages">,
): readonly RemovalGroup[] {
  const byDigest = Map.groupBy(tags, (t) => `${t.repository}@${t.digest ?? t.tag}`);
  // Every repository has manifests of its own.
  const childrenOfKept = new Map<string, Set<Digest>>();
  for (const { repository, verdict, digest } of tags) {
    const into = childrenOfKept.get(repository) ?? new Set();
    childrenOfKept.set(repository, into);
    if (verdict === "keep" && digest) addChildren(digest, manifests, into);
  }
  const groups: { readonly group: RemovalGroup; readonly rank: number }[] = [];
  const depth = depthsOf(stages);
  for (const members of byDigest.values()) {
    const going = members.filter(({ verdict }) => verdict === "delete");
    if (going.length === 0) continue;
    const { repository, digest, kind, signature } = going[0]!;
    const childOfKept = childrenOfKept.get(repository)!;
    const below = new Set<Digest>();
    if (digest && going.length === members.length) addChildren(digest, manifests, below);
    const children = [...below].filter((child) =>
      !childOfKept.has(child) && !byDigest.has(`${repository}@${child}`)
    );
    groups.push({
      group: {
        repository,
        ...(digest && { digest }),
        remove: going.map(({ tag }) => tag),
        siblings: members.filter(({ verdict }) => verdict === "keep").map(({ tag }) => tag),
        child: digest !== undefined && childOfKept.has(digest),
        ...(children.length > 0 && { children }),
      },
      // Images first, then stages from the top of their chain, so that stopping midway breaks nothing.
      rank: kind === "image" ? -Infinity : -(depth.get(signature ?? "") ?? 0),
    });
  }
  return groups.sort((a, b) => a.rank === b.rank ? 0 : a.rank < b.rank ? -1 : 1).map(({ group }) => group);
}

/** Adds every manifest below an index, at any depth. */
export function addChildren(digest: Digest, manifests: Inventory["manifests"], into: Set<Digest>): void {
  for (const child of manifests[digest]?.children ?? []) {
    if (into.has(child)) continue;
    into.add(child);
    addChildren(child, manifests, into);
  }
}

/** How many stages are below each. */
function depthsOf(stages: readonly InventoryStage[]): ReadonlyMap<string, number> {
  const bySignature = new Map(stages.map((stage) => [stage.signature, stage]));
  const depths = new Map<string, number>();
  const depthOf = (signature: string, guard: number): number => {
    const known = depths.get(signature);
    if (known !== undefined) return known;
    const previous = bySignature.get(signature)?.previous;
    const depth = previous === undefined || guard === 0 ? 0 : depthOf(previous, guard - 1) + 1;
    depths.set(signature, depth);
    return depth;
  };
  for (const { signature } of stages) depthOf(signature, 1000);
  return depths;
}
