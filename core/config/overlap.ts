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
  for (const [i, later] of targeted.entries()) {
    const earlier = targeted.slice(0, i).find(({ entry }) =>
      entry.to === later.entry.to && !areDisjoint(entry.includePaths, later.entry.includePaths)
    );
    if (earlier) {
      scope.problem(
        scope.written([...later.at, "to"]),
        `Two entries deliver to "${later.entry.to}": ${title(earlier, scope)} and ${title(later, scope)}`,
        "Give one of them another `to`, or name different files in the includePaths of both",
      );
    }
  }
  const changed = new Map<Entry, Entry>();
  for (const { entry } of targeted) {
    const inner = targeted.flatMap(({ entry: { to } }) =>
      to !== entry.to && isBelow(to, entry.to) ? [to] : []
    );
    const outermost = [...new Set(inner)].filter((to) =>
      !inner.some((other) => other !== to && isBelow(to, other))
    );
    const add = outermost.map((to) => literalGlob(to.slice(entry.to === "/" ? 1 : entry.to.length + 1)))
      .filter((glob) => !entry.excludePaths.includes(glob));
    if (add.length > 0) changed.set(entry, { ...entry, excludePaths: [...entry.excludePaths, ...add] });
  }
  return changed;
}

function title({ at }: Placed, scope: DocumentScope): string {
  return `${at[0]}[${at[1]}] (${scope.where([...at, "to"])})`;
}

function isBelow(path: string, outer: string): boolean {
  return path === outer || outer === "/" || path.startsWith(outer + "/");
}

/** Whether both lists are names, and no name of one is the same as, above or below a name of the other. */
function areDisjoint(a: readonly string[], b: readonly string[]): boolean {
  const literal = (names: readonly string[]) =>
    names.length > 0 && names.every((name) => !/[*?[\]{}\\]/.test(name));
  return literal(a) && literal(b) && !a.some((x) => b.some((y) => isBelow(x, y) || isBelow(y, x)));
}

/** A pattern that matches exactly `path`. */
function literalGlob(path: string): string {
  return path.replace(/[*?[{]/g, "[$&]");
}
