/** What happens while a cleanup plan is applied, as steps for the renderers. */
import type { ApplyEvent, CleanupPlan, TagOutcome } from "../../mod.ts";
import { formatDuration, formatElapsed, printable, shortTag } from "../format.ts";
import type { Style } from "../style.ts";
import type { Step } from "./renderer.ts";
import { unreachable } from "../../lib/unreachable.ts";

/** Makes steps from events; a deleted tag is said with the reason that the plan gives. */
export function applySteps(plan: CleanupPlan): (event: ApplyEvent) => Step {
  const reasons = new Map(plan.tags.map(({ reference, rule, why }) => [reference, `${rule}: ${why}`]));
  return (event) => {
    const step = { event: { ...event, type: `cleanup.${event.type}` } };
    switch (event.type) {
      case "tag": {
        const { reference, outcome, why } = event.result;
        if (outcome === "gone" || outcome === "not tried") return step;
        const reason = why ?? reasons.get(reference) ?? "";
        return {
          ...step,
          line: (style) =>
            `${outcomeWord(outcome, style)}  ${printable(`${shortTag(reference)}  ${reason}`)}`,
        };
      }
      case "progress":
        return { ...step, live: event.done < event.total ? progressText(event) : "" };
      case "limited": {
        const { parallel, waitMs } = event;
        const text = `the registry asks to slow down: ${parallel} at once, going on in ${
          formatDuration(waitMs)
        }`;
        return { ...step, line: (style) => `${style.yellow("waiting")}  ${text}` };
      }
      case "waiting": {
        const text = printable(`${formatDuration(event.ms)}: ${event.why}`);
        return {
          ...step,
          line: (style) => `${style.yellow("waiting")}  ${text}`,
          live: `waiting  ${printable(event.why)}`,
        };
      }
      default:
        return unreachable(event);
    }
  };
}

function progressText({ done, total, perSecond, etaMs }: ApplyEvent & { readonly type: "progress" }): string {
  const rate = perSecond >= 10 ? Math.round(perSecond) : Math.round(perSecond * 10) / 10;
  const eta = Number.isFinite(etaMs) && etaMs > 0 ? `  ${formatElapsed(etaMs + 999)} left` : "";
  return `deleting  ${done} of ${total} tags  ${Math.floor(100 * done / total)}%  ${rate}/s${eta}`;
}

/** An outcome as wide as the others, in its color. */
export function outcomeWord(outcome: TagOutcome, style: Style): string {
  const word = outcome.padEnd("deleted".length);
  switch (outcome) {
    case "deleted":
      return style.green(word);
    case "refused":
    case "failed":
      return style.red(word);
    case "spared":
      return style.yellow(word);
    case "gone":
    case "not tried":
      return style.dim(word);
    default:
      return unreachable(outcome);
  }
}
