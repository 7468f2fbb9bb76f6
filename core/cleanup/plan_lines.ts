import { formatBytes } from "../../lib/quantity.ts";
import type { CleanupPlan } from "./plan_model.ts";

/** A plan as plain lines, one for each tag that goes or, with `all`, for each tag, and a summary. */
export function planLines(plan: CleanupPlan, options: { readonly all?: boolean } = {}): readonly string[] {
  const lines = plan.tags.filter(({ verdict }) => options.all || verdict === "delete").map((tag) => {
    const by = tag.plugin === undefined ? "" : ` (${tag.plugin})`;
    const chain = tag.chain.length > 1 ? `  [${tag.chain.join(" -> ")}]` : "";
    return `${
      tag.verdict === "keep" ? "keep  " : "delete"
    }  ${tag.reference}  ${tag.rule}: ${tag.why}${by}${chain}`;
  });
  const { keep, delete: gone } = plan.counts;
  const rest = keep.foreign + keep.service;
  return [
    ...lines,
    ...plan.notes,
    `${gone.image} images and ${gone.stage} stages to delete, ${keep.image} images and ${keep.stage} stages to keep` +
    `, ${rest} other tags untouched${
      keep.broken + gone.broken > 0 ? `, ${keep.broken + gone.broken} broken` : ""
    }`,
    `${formatBytes(plan.freedBytes)} will be free once the registry has collected its garbage`,
  ];
}
