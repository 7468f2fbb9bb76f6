import { FORMAT_KEY } from "../sign/stage_formats.ts";
import { compareText, type Fact, type ListedFile, parseListed } from "../contract/signature.ts";
import { compareRows } from "../sign/listing_rows.ts";
import type { FactChange, FileChange } from "../contract/results.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { unreachable } from "../../lib/unreachable.ts";

/** Reads a listing by its digest; undefined when it is gone. */
export type ListingReader = (digest: Digest) => Promise<string | undefined>;

/** What changed between the facts of two builds of one stage, in key order. */
export async function diffFacts(
  before: readonly Fact[],
  after: readonly Fact[],
  listing: ListingReader,
): Promise<FactChange[]> {
  const changes: FactChange[] = [];
  for (const { key, a, b } of differing(before, after)) changes.push(await factChange(key, a, b, listing));
  return changes;
}

/** Facts of two builds of one stage that are not the same, in key order: before and after. */
export function differing(
  before: readonly Fact[],
  after: readonly Fact[],
): readonly { readonly key: string; readonly a: Fact | undefined; readonly b: Fact | undefined }[] {
  const old = new Map(before.map((f) => [f.key, f]));
  const now = new Map(after.map((f) => [f.key, f]));
  return [...new Set([...old.keys(), ...now.keys()])].sort(compareText)
    .map((key) => ({ key, a: old.get(key), b: now.get(key) }))
    .filter(({ a, b }) => a?.value !== b?.value);
}

async function factChange(
  key: string,
  a: Fact | undefined,
  b: Fact | undefined,
  listing: ListingReader,
): Promise<FactChange> {
  if ((a ?? b)?.listing) {
    const read = (fact: Fact | undefined) => fact?.listing ? listing(fact.value) : "";
    const [before, after] = await Promise.all([read(a), read(b)]);
    if (before !== undefined && after !== undefined) {
      return { kind: "files", key, files: diffListings(before, after) };
    }
  }
  if (key === "commands" || key === "dockerfile") {
    return { kind: "commands", key, diff: diffLines(commandLines(a?.value), commandLines(b?.value)) };
  }
  return { kind: "value", key, ...(a && { before: a.value }), ...(b && { after: b.value }) };
}

/** Which files of two listings were added, removed or changed, by path. */
export function diffListings(before: string, after: string): FileChange[] {
  const { gone, came } = compareRows(before, after);
  const files: FileChange[] = [];
  // Both are sorted by path.
  let [i, j, was, is] = [0, 0, fileAt(gone, 0), fileAt(came, 0)];
  while (was || is) {
    const order = !was ? 1 : !is ? -1 : compareText(was.path, is.path);
    files.push(order < 0 ? removed(was!) : order > 0 ? added(is!) : modified(was!, is!));
    if (order <= 0) was = fileAt(gone, ++i);
    if (order >= 0) is = fileAt(came, ++j);
  }
  return files;
}

function fileAt(rows: readonly string[], i: number): ListedFile | undefined {
  return rows[i] === undefined ? undefined : parseListed(rows[i]);
}

function removed({ path, oid }: ListedFile): FileChange {
  return { path, change: "removed", before: oid };
}

function added({ path, oid }: ListedFile): FileChange {
  return { path, change: "added", after: oid };
}

function modified(was: ListedFile, is: ListedFile): FileChange {
  const show = ({ mode, oid }: ListedFile) => was.mode === is.mode ? oid : `${oid} (mode ${mode})`;
  return { path: is.path, change: "modified", before: show(was), after: show(is) };
}

function commandLines(value: string | undefined): string[] {
  return value === undefined ? [] : (JSON.parse(value) as string[]).flatMap((command) => command.split("\n"));
}

/** Edits beyond which a diff need not be the shortest: some thousand make it no clearer. */
const MAX_EDITS = 1000;

/** A line diff: every line of both, marked " ", "-" or "+". The shortest there is, unless it has very many edits. */
export function diffLines(before: readonly string[], after: readonly string[]): string[] {
  const out: string[] = [];
  let [i, j] = [0, 0];
  const changeUntil = (end: number, newEnd: number) => {
    while (i < end) out.push(`-${before[i++]}`);
    while (j < newEnd) out.push(`+${after[j++]}`);
  };
  for (const [same, now] of commonLines(before, after)) {
    changeUntil(same, now);
    out.push(` ${before[i++]}`);
    j++;
  }
  changeUntil(before.length, after.length);
  return out;
}

/** Where lines are that a diff keeps, before and after. */
function commonLines(before: readonly string[], after: readonly string[]): (readonly [number, number])[] {
  // A line that only one of them has is kept by no diff.
  const [olds, news] = [sharedWith(after, before), sharedWith(before, after)];
  const isSame = (x: number, y: number) =>
    x < olds.length && y < news.length && before[olds[x]!] === after[news[y]!];
  // Myers, An O(ND) Difference Algorithm and Its Variations: `reached` says how far d edits lead on each diagonal x - y.
  const reached = new Map([[1, 0]]);
  const steps: ReadonlyMap<number, number>[] = [];
  const comesDown = (from: ReadonlyMap<number, number>, k: number, d: number) =>
    k === -d || (k !== d && from.get(k - 1)! < from.get(k + 1)!);
  let [x, y] = [0, 0];
  for (let d = 0; d <= MAX_EDITS && !(x === olds.length && y === news.length); d++) {
    steps.push(new Map(reached));
    [x, y] = [0, 0];
    for (let k = -d; k <= d; k += 2) {
      let at = comesDown(reached, k, d) ? reached.get(k + 1)! : reached.get(k - 1)! + 1;
      while (isSame(at, at - k)) at++;
      reached.set(k, at);
      const inside = at <= olds.length && at - k <= news.length;
      if (inside && at + at - k > x + y) [x, y] = [at, at - k];
    }
  }
  const pairs: [number, number][] = [];
  for (let d = steps.length - 1; d >= 0; d--) {
    const k = x - y;
    const last = comesDown(steps[d]!, k, d) ? k + 1 : k - 1;
    const from = d === 0 ? 0 : steps[d]!.get(last)!;
    const start = d === 0 ? 0 : Math.max(from, from - last + k);
    while (x > start && x > 0 && y > 0) pairs.push([olds[--x]!, news[--y]!]);
    if (d > 0) [x, y] = [from, from - last];
  }
  return pairs.reverse();
}

/** Indexes of the lines that others have too. */
function sharedWith(others: readonly string[], lines: readonly string[]): readonly number[] {
  const known = new Set(others);
  return lines.flatMap((line, i) => known.has(line) ? [i] : []);
}

/** Changes in one short sentence: "commands changed; 3 files changed (/app/a.js, ...)". */
export function summarise(changes: readonly FactChange[]): string {
  return changes.map((change) => {
    switch (change.kind) {
      case "commands":
        return change.key === "dockerfile" ? "the Dockerfile changed" : "commands changed";
      case "files":
        return filesChanged(change.files);
      case "value":
        if (change.key === FORMAT_KEY) return formatChange(change.after ?? change.before ?? "");
        return change.before === undefined
          ? `${change.key} added`
          : change.after === undefined
          ? `${change.key} removed`
          : `${change.key} changed`;
      default:
        return unreachable(change);
    }
  }).join("; ");
}

/**
 * `2 files changed (/a, /b), 1 no longer delivered (/c)`. A file that comes or goes may have done so in git, or only be
 * declared now or no longer.
 */
function filesChanged(files: readonly FileChange[]): string {
  const words = { modified: "changed", added: "added", removed: "no longer delivered" } as const;
  const groups = (["modified", "added", "removed"] as const).flatMap((change) => {
    const paths = files.filter((file) => file.change === change).map(({ path }) => path);
    return paths.length === 0 ? [] : [{ word: words[change], paths }];
  });
  return groups.map(({ word, paths }, i) => {
    const noun = i > 0 ? "" : paths.length === 1 ? " file" : " files";
    return `${paths.length}${noun} ${word} (${paths.slice(0, 3).join(", ")}${
      paths.length > 3 ? ", ..." : ""
    })`;
  }).join(", ");
}

/** `git 2` as a sentence for people: what these stages contain is made in another way. */
function formatChange(value: string): string {
  return `the format of ${value.replace(/ .*/, "")} stages changed`;
}
