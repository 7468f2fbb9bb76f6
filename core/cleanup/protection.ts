import type { BrokenTag, Inventory } from "../contract/cleanup.ts";
import { signatureIn } from "../contract/labels.ts";
import { earlier, PROTOCOL } from "../protocol/clock.ts";
import { leasedBy, readLeases, validLeases } from "../protocol/leases.ts";
import type { ApplyOptions } from "./apply_model.ts";
import type { Outcomes } from "./outcomes.ts";
import type { CleanupPlan, PlannedRemoval } from "./plan.ts";
import { addFixedRoots, Needs } from "./stage_roots.ts";

/** What protecting stages takes. */
export interface ProtectionNeeds extends Pick<ApplyOptions, "backend" | "clock" | "signal" | "skewMs"> {
  readonly plan: CleanupPlan;
  /** Of the tags so far. */
  readonly outcomes: Outcomes;
}

/** Why a stage must stay after all, by what REPO holds now: new images, leases, stages of others. */
export async function protectStages(
  look: Inventory,
  { backend, clock, signal, skewMs = PROTOCOL.skewMs, plan, outcomes }: ProtectionNeeds,
): Promise<(planned: PlannedRemoval | undefined) => string | undefined> {
  const { stages } = look;
  const leases = validLeases(
    await readLeases(backend.repository(""), signal),
    earlier(clock.now(), clock),
    skewMs,
  );
  const options = { graceMs: 0, leased: leasedBy(leases), kept: new Map() };
  const needs = new Needs(stages);
  addFixedRoots(needs, look, options);
  const fixed = new Needs(stages);
  addFixedRoots(fixed, look, options);
  const known = new Map(plan.tags.map(({ reference, digest, verdict }) => [reference, { digest, verdict }]));
  for (const image of look.images) {
    const before = known.get(image.reference);
    needs.addImage(image, []);
    if (before?.digest !== image.digest || before.verdict === "delete") fixed.addImage(image, []);
  }
  // A manifest that is damaged once may be what stands between; a stage tells no other what it stands on.
  const isIgnored = ({ kind, tag, reference, seenBefore }: BrokenTag) => {
    const isStage = signatureIn(tag) !== undefined;
    return kind === "damaged" ? seenBefore || isStage : kind === "missing" && isStage && known.has(reference);
  };
  const unreadable = look.broken.find((tag) =>
    !isIgnored(tag) && !outcomes.isGone(tag.reference) && known.get(tag.reference)?.verdict !== "keep"
  );
  return (planned) => {
    if (!planned) return "the plan does not say what it is";
    if (unreadable) return `what ${unreadable.reference} stands on cannot be read`;
    const signature = planned.signature ?? signatureIn(planned.tag) ?? "";
    // What a budget takes away is needed by images that were there before; a flush asks for leases alone.
    const from = planned.rule === "budget" || planned.rule === "flush" ? fixed : needs;
    const need = from.get(signature);
    return need && !(planned.rule === "flush" && need.evictable) ? need.why : undefined;
  };
}
