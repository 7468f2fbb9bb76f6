import { FORMAT_KEY } from "../sign/stage_formats.ts";
import { compareText, type Fact, type ListedFile, parseListing } from "../contract/signature.ts";
import { compareRows, listingOfRows } from "../sign/listing_rows.ts";
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
  const old = new Map(parseListing(listingOfRows(gone)).map((f) => [f.path, f]));
  const files: FileChange[] = [];
  for (const file of parseListing(listingOfRows(came))) {
    const was = old.get(file.path);
    old.delete(file.path);
    if (!was) files.push({ path: file.path, change: "added", after: file.oid });
    else if (was.oid !== file.oid || was.mode !== file.mode) {
      const mode = was.mode !== file.mode;
      const show = (f: ListedFile) => mode ? `${f.oid} (mode ${f.mode})` : f.oid;
      files.push({ path: file.path, change: "modified", before: show(was), after: show(file) });
    }
  }
  for (const file of old.values()) files.push({ path: file.path, change: "removed", before: file.oid });
  return files.sort((x, y) => compareText(x.path, y.path));
}

function commandLines(value: string | undefined): string[] {
  return value === undefined ? [] : (JSON.parse(value) as string[]).flatMap((command) => command.split("\n"));
}

/** A line diff by longest common subsequence: every line of both, marked " ", "-" or "+". */
export function diffLines(before: readonly string[], after: readonly string[]): string[] {
  const width = after.length + 1;
  const common = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      common[i * width + j] = before[i] === after[j]
        ? common[(i + 1) * width + j + 1]! + 1
        : Math.max(common[(i + 1) * width + j]!, common[i * width + j + 1]!);
    }
  }
  const out: string[] = [];
  let [i, j] = [0, 0];
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) out.push(` ${before[i++]}`), j++;
    else if (
      j >= after.length || (i < before.length && common[(i + 1) * width + j]! >= common[i * width + j + 1]!)
    ) {
      out.push(`-${before[i++]}`);
    } else out.push(`+${after[j++]}`);
  }
  return out;
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
