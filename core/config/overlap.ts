import { groupBy } from "../../lib/group_by.ts";
import type { GitEntry, ImportRule } from "../contract/config.ts";
import type { DocumentScope, Path } from "./report.ts";

type Entry = GitEntry | ImportRule;

/** An entry with its place in the document. */
export interface Placed {
  readonly at: Path;
  readonly entry: Entry;
}

/**
 * Settles which entry owns a path when the targets of `git` and `import` entries overlap.
 *
 * Below another target the inner one wins: the outer entry gets an implicit exclude. Two entries with one target are a
 * problem, unless both name what they include and nothing is named twice.
 *
 * @returns the entries that were changed, by the entry given
 */
export function resolveOverlaps(placed: readonly Placed[], scope: DocumentScope): ReadonlyMap<Entry, Entry> {
  const targeted = placed.filter(({ entry }) => entry.to !== "");
  const byTarget = groupBy(targeted, ({ entry }) => entry.to);
  for (const [to, entries] of byTarget) {
    const taken = new TakenNames();
    for (const [i, later] of entries.entries()) {
      const earlier = entries[taken.take(i, later.entry.includePaths) ?? i]!;
      if (earlier === later) continue;
      scope.problem(
        scope.written([...later.at, "to"]),
        `Two entries deliver to "${to}": ${title(earlier, scope)} and ${title(later, scope)}`,
        "Give one of them another `to`, or name different files in the includePaths of both",
      );
    }
  }
  const inner = nextBelow([...byTarget.keys()]);
  const changed = new Map<Entry, Entry>();
  for (const { entry } of targeted) {
    const add = (inner.get(entry.to) ?? [])
      .map((to) => literalGlob(to.slice(entry.to === "/" ? 1 : entry.to.length + 1)))
      .filter((glob) => !entry.excludePaths.includes(glob));
    if (add.length > 0) changed.set(entry, { ...entry, excludePaths: [...entry.excludePaths, ...add] });
  }
  return changed;
}

function title({ at }: Placed, scope: DocumentScope): string {
  return `${at[0]}[${at[1]}] (${scope.where([...at, "to"])})`;
}

/** For each path those below it that are below no other between, all in the order in which they are given. */
function nextBelow(paths: readonly string[]): ReadonlyMap<string, readonly string[]> {
  // With a slash at its end, what is below a path follows it at once.
  const sorted = paths.map((path) => path === "/" ? path : `${path}/`).sort();
  const above = new Map<string, string>();
  const open: string[] = [];
  for (const path of sorted) {
    while (open.length > 0 && !path.startsWith(open.at(-1)!)) open.pop();
    const outer = open.at(-1);
    if (outer !== undefined) above.set(bare(path), bare(outer));
    open.push(path);
  }
  return groupBy(paths.filter((path) => above.has(path)), (path) => above.get(path)!);
}

function bare(path: string): string {
  return path === "/" ? path : path.slice(0, -1);
}

/** Which files of one target are spoken for, by the number of the entry that names them first. */
class TakenNames {
  /** The first entry, the first that does not name its files, and by path those that name it or something below it. */
  #any?: number;
  #unnamed?: number;
  readonly #named = new Map<string, number>();
  readonly #within = new Map<string, number>();

  /** Takes what an entry includes. Gives the first entry that may include some of it as well. */
  take(entry: number, names: readonly string[]): number | undefined {
    const literal = names.length > 0 && names.every((name) => !/[*?[\]{}\\]/.test(name));
    const found = literal ? [this.#unnamed, ...names.flatMap((name) => this.#conflicts(name))] : [this.#any];
    this.#any ??= entry;
    if (!literal) this.#unnamed ??= entry;
    for (const name of literal ? names : []) {
      if (!this.#named.has(name)) this.#named.set(name, entry);
      for (const path of upwards(name)) if (!this.#within.has(path)) this.#within.set(path, entry);
    }
    const earlier = found.filter((each) => each !== undefined);
    return earlier.length === 0 ? undefined : Math.min(...earlier);
  }

  /** The entries that name the same, something above, or something below. */
  #conflicts(name: string): (number | undefined)[] {
    return [this.#within.get(name), ...upwards(name).map((path) => this.#named.get(path))];
  }
}

/** A path and all that it lies in. */
function upwards(path: string): string[] {
  const parts = path.split("/");
  return parts.map((_, i) => parts.slice(0, i + 1).join("/"));
}

/** A pattern that matches exactly `path`. */
function literalGlob(path: string): string {
  return path.replace(/[*?[{]/g, "[$&]");
}
