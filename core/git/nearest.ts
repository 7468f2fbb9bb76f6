import type { GitFile } from "./model.ts";

/**
 * An existing path that the user may have meant by `path`, which does not exist: a similar name in the same directory,
 * the same name elsewhere, or the nearest directory that exists ("" = the top).
 */
export function nearestPath(files: readonly GitFile[], path: string): string {
  const all = new Set<string>();
  for (const file of files) {
    for (let at = file.path.length; at > 0; at = file.path.lastIndexOf("/", at - 1)) {
      all.add(file.path.slice(0, at));
    }
  }
  const names = path.split("/");
  let depth = 0;
  while (depth < names.length && all.has(names.slice(0, depth + 1).join("/"))) depth++;
  const parent = names.slice(0, depth).join("/");
  const wanted = names[depth] ?? "";
  const below = parent === "" ? "" : `${parent}/`;

  let [best, bestDistance] = ["", Math.max(1, Math.floor(wanted.length / 3)) + 1];
  let elsewhere: string | undefined;
  for (const known of all) {
    if (known.startsWith(below) && !known.includes("/", below.length)) {
      const name = known.slice(below.length);
      const distance = name.toLowerCase() === wanted.toLowerCase() ? 0 : editDistance(name, wanted);
      if (distance < bestDistance) [best, bestDistance] = [known, distance];
    } else if (
      known.endsWith(`/${names.at(-1)}`) && (elsewhere === undefined || known.length < elsewhere.length)
    ) {
      elsewhere = known;
    }
  }
  return best || elsewhere || parent;
}

/** Insertions, deletions and replacements that turn one word into the other. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
