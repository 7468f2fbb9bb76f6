/** Cleanup plans as people read them. */
import type { CleanupPlan, PlannedRemoval, TagKind } from "../../mod.ts";
import { columns } from "../columns.ts";
import { count, formatAge, formatSize, imageTitle, printable, shortTag } from "../format.ts";
import type { Style } from "../style.ts";
import { truncate } from "../width.ts";

const kinds: readonly TagKind[] = ["image", "stage", "broken", "foreign", "service"];
const titles: Readonly<Record<TagKind, string>> = {
  image: "image",
  stage: "stage",
  broken: "broken tag",
  foreign: "tag of others",
  service: "tag of dapp itself",
};
/** Names that a question shows. */
const SHOWN = 10;

export interface TableOptions {
  readonly style: Style;
  /** Lists what stays too, and the chain behind each. */
  readonly verbose: boolean;
  /** Columns of the terminal; absent where there is none. */
  readonly width?: number;
}

/** What goes, tag by tag with the reason, and how many stay by which rule; no line is wider than the terminal. */
export function planTable(plan: CleanupPlan, options: TableOptions): readonly string[] {
  const { style, verbose } = options;
  const width = verbose ? Infinity : options.width ?? Infinity;
  const lines: string[] = [];
  for (const verdict of ["keep", "delete"] as const) {
    for (const kind of kinds) {
      const tags = plan.tags.filter((tag) => tag.verdict === verdict && tag.kind === kind);
      if (tags.length === 0) continue;
      lines.push(style.bold(`${verdict}: ${counted(kind, tags.length)}`));
      const rows = verbose || verdict === "delete" ? tagLines(plan, tags, options) : ruleLines(plan, tags);
      for (const line of rows) lines.push(truncate(line, width));
      lines.push("");
    }
  }
  return [...lines, ...planSummary(plan)];
}

function tagLines(
  plan: CleanupPlan,
  tags: readonly PlannedRemoval[],
  { style, verbose }: TableOptions,
): readonly string[] {
  const now = Date.parse(plan.now);
  const cells = tags.map((tag) => [
    printable(tagTitle(tag, plan)),
    tag.time === undefined ? "" : formatAge(now - Date.parse(tag.time)),
    tag.bytes === undefined ? "" : formatSize(tag.bytes),
    verbose ? printable(tag.rule) : "",
    printable(tag.why),
  ]);
  // What nobody knows takes no column.
  const known = cells[0]!.map((_, i) => cells.some((row) => row[i] !== ""));
  const rows = columns(cells.map((row) => row.filter((_, i) => known[i])));
  return tags.flatMap((tag, i) => {
    const paint = tag.verdict === "delete" ? style.red : style.green;
    const more = verbose ? details(tag).map((line) => style.dim(`      ${printable(line)}`)) : [];
    return [`  ${paint(tag.verdict)}  ${rows[i]!}`, ...more];
  });
}

/** How many tags a rule keeps, and of which dimgs. */
function ruleLines(plan: CleanupPlan, tags: readonly PlannedRemoval[]): readonly string[] {
  const byRule = [...Map.groupBy(tags, ({ rule }) => rule)].sort(([, a], [, b]) => b.length - a.length);
  return columns(byRule.map(([rule, kept]) => {
    const dimgs = Map.groupBy(kept.filter(({ dimg }) => dimg !== undefined), ({ dimg }) => dimg!);
    const named = [...dimgs].map(([name, own]) => `${imageTitle(name, "dimg")} ${own.length}`);
    const [only] = kept;
    const whys = new Set(kept.map(({ why }) => why));
    const said = named.join(", ") || (kept.length > 1 && whys.size === 1 ? [...whys][0]! : "") ||
      (kept.length === 1 ? `${tagTitle(only!, plan)}: ${only!.why}` : "");
    return [`  ${kept.length}`, printable(rule), printable(said)];
  }));
}

function details({ chain, why, also = [], plugin }: PlannedRemoval): readonly string[] {
  const path = chain.length === 1 && chain[0] === why ? "" : chain.join(" > ");
  const first = [path, plugin === undefined ? "" : `by ${plugin}`].filter((text) => text !== "").join("  ");
  return [
    ...(first === "" ? [] : [first]),
    ...also.map((reason) => `also ${reason.rule}: ${reason.why}  by ${reason.plugin}`),
  ];
}

/** Notes, what goes and what stays by kind, and what that frees. */
export function planSummary(plan: CleanupPlan): readonly string[] {
  const { keep, delete: going } = plan.counts;
  const of = (counts: CleanupPlan["counts"]["keep"]) =>
    kinds.flatMap((kind) => counts[kind] > 0 ? [counted(kind, counts[kind])] : []).join(", ") || "nothing";
  return [
    ...plan.notes.map((note) => `note: ${printable(note)}`),
    plan.tags.length === 0
      ? `${plan.repo}: nothing is there, neither images nor stages; check the name of REPO`
      : `${plan.repo}: ${of(going)} to delete; ${of(keep)} to keep`,
    ...(plan.groups.length > 0
      ? [`deleting them frees ${formatSize(plan.freedBytes)}${later(plan.repo)}`]
      : []),
  ];
}

/** The summary with the first names, before a question. */
export function planPreview(plan: CleanupPlan): readonly string[] {
  const going = plan.tags.filter(({ verdict }) => verdict === "delete");
  return [
    ...going.slice(0, SHOWN).map((tag) => printable(`  ${tagTitle(tag, plan)}  ${tag.rule}: ${tag.why}`)),
    ...(going.length > SHOWN ? [`  and ${going.length - SHOWN} more`] : []),
    ...planSummary(plan),
  ];
}

/** A tag below REPO as people tell it from others: signatures are cut short. */
function tagTitle({ reference }: PlannedRemoval, { repo }: CleanupPlan): string {
  return shortTag(reference.startsWith(repo) ? reference.slice(repo.length + 1) : reference);
}

/** When space is free: registries give blobs up later than tags, and so do directories that others may be writing to. */
function later(repo: string): string {
  return repo.startsWith("oci:")
    ? "; files younger than an hour go with a later cleanup"
    : " once the registry has collected its garbage";
}

/** What was freed by deleting them. */
export function freed({ freedBytes, repo }: CleanupPlan, most: string): string {
  return `${most}${formatSize(freedBytes)} freed${later(repo)}`;
}

function counted(kind: TagKind, n: number): string {
  return kind === "image" || kind === "stage" || kind === "broken"
    ? count(n, titles[kind])
    : `${n} ${n === 1 ? titles[kind] : titles[kind].replace("tag", "tags")}`;
}
