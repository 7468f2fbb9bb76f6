/** Finding the name that somebody meant to type. */

/**
 * The edit distance between two texts: insertions, deletions, substitutions and swaps of neighbours count one each
 * (optimal string alignment, a Damerau-Levenshtein distance). Case counts as a difference.
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, before[j - 2]! + 1);
      }
      row.push(cost);
    }
    [before, last] = [last, row];
  }
  return last[b.length]!;
}

/**
 * The known name nearest to `name`, or undefined when none is near enough to be what was meant.
 *
 * Near enough: equal but for case, `_`, `-` and spaces; or at most one edit for every three letters, rounded up, and
 * at most three. A name that was begun, with three letters at least, is as near as one edit. Of equally near names the
 * first known one wins.
 */
export function suggest(name: string, known: Iterable<string>): string | undefined {
  const wanted = fold(name);
  let best: { name: string; distance: number } | undefined;
  for (const candidate of known) {
    if (candidate === name) continue;
    const folded = fold(candidate);
    const shorter = Math.min(wanted.length, folded.length);
    const limit = Math.min(3, Math.ceil(shorter / 3), shorter - 1);
    const begun = wanted.length >= 3 && folded.startsWith(wanted);
    if (!begun && Math.abs(wanted.length - folded.length) > limit) continue;
    const distance = begun && wanted !== folded ? 1 : editDistance(wanted, folded);
    if ((begun || distance <= limit) && (best === undefined || distance < best.distance)) {
      best = { name: candidate, distance };
    }
  }
  return best?.name;
}

/** `. Did you mean "NAME"?`, to end a sentence about a name that is not known; "" when nothing is near. */
export function didYouMean(name: string, known: Iterable<string>): string {
  const near = suggest(name, known);
  return near === undefined ? "" : `. Did you mean "${near}"?`;
}

function fold(name: string): string {
  return name.toLowerCase().replace(/[-_\s]/g, "");
}
