/** The commands that delete tags from REPO: each makes a plan, shows it or asks, and does what it says. */
import type { ApplyReport, CleanupPlan, CleanupRequest, TagOutcome } from "../../mod.ts";
import { agreed, mustAsk } from "../consent.ts";
import { count, printable } from "../format.ts";
import { improper } from "../improper.ts";
import { applySteps, outcomeWord } from "../render/apply_steps.ts";
import { freed, planPreview, planSummary, planTable } from "../render/cleanup_table.ts";
import { createStyle, type Style, wantsColor } from "../style.ts";
import { findTarget } from "../target.ts";
import type { CommandRun, Context } from "../command.ts";
import { usage } from "../usage.ts";

/** `dapp dimg cleanup repo`: deletes what no policy keeps, or what an earlier plan says. */
export const cleanupRepo: CommandRun = async (context) => {
  const { options } = context;
  if (options.text("plan") !== undefined) return await carryOut(context, await readPlan(context));
  const withoutKube = options.flag("without-kube");
  return await clean(context, {
    stages: options.flag("with-stages") ? "unneeded" : "none",
    ...(withoutKube && { withoutKube }),
  });
};

/** `dapp dimg flush repo`: deletes every image of the project. */
export const flushRepo: CommandRun = (context) =>
  clean(context, { flush: true, stages: context.options.flag("with-stages") ? "all" : "none" });

/** `dapp dimg stages cleanup repo`: deletes stages, by the flags given. */
export const stagesCleanupRepo: CommandRun = async (context) => {
  const { unneeded, version, commit } = improper(
    context,
    "only what the old tool left of such is removed",
  );
  return await clean(context, {
    images: false,
    stages: unneeded ? "unneeded" : "none",
    ...(version ? { legacy: "all" } : commit ? { legacy: "lost commits" } : {}),
  });
};

/** `dapp dimg stages flush repo`: deletes every stage of the project. */
export const stagesFlushRepo: CommandRun = (context) =>
  clean(context, { flush: true, images: false, stages: "all" });

async function clean(context: Context, request: Omit<CleanupRequest, "repo" | "patterns">): Promise<number> {
  const { patterns, repo } = await findTarget(context);
  const plan = await (await context.engine()).planCleanup({
    ...(repo !== undefined && { repo }),
    ...(patterns.length > 0 && { patterns }),
    ...request,
  });
  return await carryOut(context, plan);
}

/** Shows the plan on a dry run; otherwise does what it says, if that is wanted. */
async function carryOut(context: Context, plan: CleanupPlan): Promise<number> {
  const { options, quiet, verbose, style, progress, answer, engine } = context;
  const going = plan.tags.filter(({ verdict }) => verdict === "delete");
  if (options.flag("dry-run")) {
    answer(
      plan,
      () =>
        quiet
          ? going.map(({ reference }) => reference)
          : planTable(plan, { style, verbose, ...terminalWidth(context) }),
    );
    return 0;
  }
  if (going.length > 0 && mustAsk(context)) {
    if (!await agreed(context, `Delete ${count(going.length, "tag")}?`, planPreview(plan))) {
      answer({ plan }, () => []);
      return 1;
    }
  } else for (const line of planSummary(plan)) progress.note(line);
  const stepOf = applySteps(plan);
  const report = await (await engine()).applyCleanup(plan, {
    onEvent: (event) => progress.step(stepOf(event)),
  });
  answer({ plan, report }, () => quiet ? deleted(report) : reportLines(plan, report, style));
  tellEnd(context, report);
  return report.exitCode;
}

/** Lines are cut to the terminal; in a file or a pipe they are whole. */
function terminalWidth({ io: { stdout } }: Context): { readonly width?: number } {
  return stdout.isTerminal ? { width: stdout.size().columns } : {};
}

/** The plan in the file after --plan. What may go is settled by it, so nothing else may say so. */
async function readPlan({ options, command, loose, io }: Context): Promise<CleanupPlan> {
  const file = options.text("plan")!;
  for (const name of ["with-stages", "without-kube"] as const) {
    if (options.flag(name)) {
      throw usage(`Cannot use option "--${name}" with "--plan": the plan says what goes`, command.path);
    }
  }
  const text = await io.readText(file);
  if (text === undefined) {
    throw usage(
      `Cannot read the plan "${file}": there is no file that can be read, wanted is one that --dry-run --json printed`,
      command.path,
    );
  }
  const { parseCleanupPlan } = await import("../../mod.ts");
  const plan = await parseCleanupPlan(planIn(text));
  const [word, extra] = loose;
  const repo = word ?? options.text("repo");
  if (extra !== undefined || repo !== undefined && repo !== plan.repo) {
    const wrong = extra ?? repo;
    throw usage(
      `Cannot use "${wrong}" with the plan "${file}": it is for REPO "${plan.repo}", and says what goes there`,
      command.path,
    );
  }
  return plan;
}

/** The plan as the engine reads it: --json adds a version, and a plan that was applied has its report beside it. */
function planIn(text: string): string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return text;
  }
  if (typeof document !== "object" || document === null) return text;
  if ("plan" in document) return JSON.stringify(document.plan);
  const { version, type, time: _time, ...plan } = document as {
    readonly version?: unknown;
    readonly type?: unknown;
    readonly time?: unknown;
  };
  return (version === undefined || version === 1) && (type === undefined || type === "result")
    ? JSON.stringify(plan)
    : text;
}

function deleted({ tags }: ApplyReport): readonly string[] {
  return tags.filter(({ outcome }) => outcome === "deleted").map(({ reference }) => reference);
}

const outcomes: readonly TagOutcome[] = ["deleted", "gone", "spared", "refused", "failed", "not tried"];

/** What did not go as planned, then the numbers. */
function reportLines(
  plan: CleanupPlan,
  { tags, counts, outcome }: ApplyReport,
  style: Style,
): readonly string[] {
  if (tags.length === 0) return plan.tags.length === 0 ? [] : ["nothing to delete"];
  // What is impossible is so for each of them.
  const problems = outcome === "impossible"
    ? []
    : tags.filter(({ outcome }) => outcome === "spared" || outcome === "refused" || outcome === "failed");
  const numbers = outcomes.filter((name) => counts[name] > 0).map((name) => `${counts[name]} ${name}`);
  const whole = counts.deleted + counts.gone === tags.length;
  const stays = tags.some(({ outcome, why }) => outcome === "deleted" && why !== undefined);
  return [
    ...problems.map(({ reference, outcome, why = "" }) =>
      `${outcomeWord(outcome, style)}  ${printable(`${reference}  ${why}`)}`.trimEnd()
    ),
    `${count(tags.length, "tag")}: ${numbers.join(", ")}`,
    ...(counts.deleted > 0 && !stays ? [freed(plan, whole ? "" : "at most ")] : []),
  ];
}

const advice: Readonly<Record<ApplyReport["outcome"], string>> = {
  complete: "",
  partial: "Run the same command again to try the rest",
  impossible:
    "See what the registry can do with: dapp registry check REPO; deleting may need another login, or a setting there",
  interrupted: "Run the same command again to go on",
};

/** Says on stderr why it is not all done, and what to do about it. */
function tellEnd(
  { io, options, quiet }: Context,
  { outcome, message, fix = advice[outcome], exitCode }: ApplyReport,
): void {
  if (exitCode === 0 || quiet && options.text("json") !== undefined) return;
  const style = createStyle(wantsColor(io.stderr, options.text("color") ?? "auto", io.env));
  const said = message ?? "Some tags could not be deleted";
  io.stderr.write(
    `${style.red(style.bold("error:"))} ${printable(said)}\n${style.bold("fix:")} ${fix}\n`,
  );
}
