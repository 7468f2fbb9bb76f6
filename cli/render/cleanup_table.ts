/** Cleanup plans as people read them. */
import type { CleanupPlan, PlannedRemoval, TagKind } from "../../mod.ts";
import { columns } from "../columns.ts";
import { count, formatSize, printable } from "../format.ts";
import type { Style } from "../style.ts";

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

/** Every tag with its rule and the case at hand, what stays before what goes; `verbose` adds chains and more reasons. */
export function planTable(
  plan: CleanupPlan,
  { style, verbose }: { readonly style: Style; readonly verbose: boolean },
): readonly string[] {
  const lines: string[] = [];
  for (const verdict of ["keep", "delete"] as const) {
    for (const kind of kinds) {
      const tags = plan.tags.filter((tag) => tag.verdict === verdict && tag.kind === kind);
      if (tags.length === 0) continue;
      const paint = verdict === "delete" ? style.red : style.green;
      lines.push(style.bold(`${verdict}: ${counted(kind, tags.length)}`));
      const rows = columns(tags.map(({ reference, rule, why }) => [reference, rule, why].map(printable)));
      tags.forEach((tag, i) => {
        lines.push(`  ${paint(verdict)}  ${rows[i]!}`);
        if (verbose) lines.push(...details(tag).map((line) => style.dim(`      ${printable(line)}`)));
      });
      lines.push("");
    }
  }
  return [...lines, ...planSummary(plan)];
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
    `${plan.repo}: ${of(going)} to delete; ${of(keep)} to keep`,
    ...(plan.groups.length > 0 ? [freed(plan.freedBytes)] : []),
  ];
}

/** The summary with the first names, before a question. */
export function planPreview(plan: CleanupPlan): readonly string[] {
  const going = plan.tags.filter(({ verdict }) => verdict === "delete");
  return [
    ...going.slice(0, SHOWN).map(({ reference, rule, why }) => printable(`  ${reference}  ${rule}: ${why}`)),
    ...(going.length > SHOWN ? [`  and ${going.length - SHOWN} more`] : []),
    ...planSummary(plan),
  ];
}

/** What deletion frees: a registry gives blobs up later than tags. */
export function freed(bytes: number, most = ""): string {
  return `${most}${formatSize(bytes)} will be free once the registry has collected its garbage`;
}

function counted(kind: TagKind, n: number): string {
  return kind === "image" || kind === "stage" || kind === "broken"
    ? count(n, titles[kind])
    : `${n} ${n === 1 ? titles[kind] : titles[kind].replace("tag", "tags")}`;
}
