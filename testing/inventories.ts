import type { CleanupGit, Inventory } from "../core/contract/plugin.ts";
import { gitFacts, type GitFactsOptions } from "./git_facts.ts";
import recording from "./inventories/shop.json" with { type: "json" };

/** A REPO, and the git repository it was published from. */
export interface RecordedInventory {
  /** What a cleanup saw in REPO. */
  readonly inventory: Inventory;
  /** What git had then. */
  readonly git: CleanupGit;
}

/**
 * An inventory as the engine read it from a registry: a project with two dimgs, published for branches (one of which is
 * gone), git tags, commits and by hand over three months, with its stages, next to an image of somebody else. Each call
 * gives a copy of its own.
 */
export function recordedInventory(): RecordedInventory {
  const copy: { readonly inventory: Inventory; readonly git: GitFactsOptions } = JSON.parse(
    JSON.stringify(recording),
  );
  return { inventory: copy.inventory, git: gitFacts(copy.git) };
}
