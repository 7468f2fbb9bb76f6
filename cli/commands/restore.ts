import type { RestoredTag, RestoreReport } from "../../mod.ts";
import { columns } from "../columns.ts";
import { count, formatInstant, printable, shortDigest } from "../format.ts";
import type { Style } from "../style.ts";
import { dappfileRepo } from "../target.ts";
import type { CommandRun, Context } from "../command.ts";
import { usage } from "../usage.ts";
import { unreachable } from "../../lib/unreachable.ts";

/** `dapp dimg restore`: puts deleted tags back and prints what became of each. Exits with 1 when one is lost or failed. */
export const restore: CommandRun = async (context) => {
  const { engine, options, quiet, style, progress, answer } = context;
  const { repo, tags } = await findTags(context);
  const report = await (await engine()).restore(
    tags.length > 0 ? tags : undefined,
    { ...(repo !== undefined && { repo }) },
  );
  const of = (outcome: RestoredTag["outcome"]) => report.tags.filter((tag) => tag.outcome === outcome);
  if (report.tags.length === 0) {
    progress.note(
      `note: nothing to restore: no cleanup from this machine deleted anything in ${report.repo}`,
    );
  }
  if (options.flag("list")) {
    const runs = runsOf(report);
    answer({ repo: report.repo, runs }, () => runLines(runs, quiet));
    return 0;
  }
  answer(report, () => {
    if (quiet) {
      return [...of("restored"), ...of("would restore")].map(({ reference }) => printable(reference));
    }
    const rows = columns(report.tags.map(({ outcome, reference, digest, why }) => [
      outcome,
      printable(reference),
      why === undefined ? shortDigest(digest) : printable(why),
    ]));
    return rows.map((line, i) => paint(report.tags[i]!.outcome, style)(line));
  });
  return of("lost").length + of("failed").length > 0 ? 1 : 0;
};

/** A cleanup that deleted tags here. */
interface Run {
  /** RFC 3339, when it began. */
  readonly time: string;
  readonly deleted: number;
  /** Of these, those that can be put back. */
  readonly restorable: number;
  readonly outcomes: Readonly<Partial<Record<RestoredTag["outcome"], number>>>;
}

/** The newest deletion of each tag counts, in the order of time. */
function runsOf({ tags }: RestoreReport): readonly Run[] {
  return [...Map.groupBy(tags, ({ run }) => run)].sort(([a], [b]) => a < b ? -1 : 1).map(([time, own]) => {
    const outcomes = Map.groupBy(own, ({ outcome }) => outcome);
    return {
      time,
      deleted: own.length,
      restorable: outcomes.get("would restore")?.length ?? 0,
      outcomes: Object.fromEntries([...outcomes].map(([outcome, rows]) => [outcome, rows.length])),
    };
  });
}

const words: readonly (readonly [RestoredTag["outcome"], string])[] = [
  ["would restore", "can be put back"],
  ["present", "there again"],
  ["taken", "taken by something newer"],
  ["lost", "lost"],
  ["failed", "not to be found out"],
];

function runLines(runs: readonly Run[], quiet: boolean): readonly string[] {
  if (quiet) return runs.map(({ time }) => time);
  return columns(runs.map(({ time, deleted, outcomes }) => [
    formatInstant(time),
    `${count(deleted, "tag")} deleted`,
    words.flatMap(([outcome, word]) => outcomes[outcome] ? [`${outcomes[outcome]} ${word}`] : []).join(", "),
  ]));
}

/** REPO is the first word, unless --repo or the dappfile names it. */
async function findTags(
  { command, options, loose, engine }: Context,
): Promise<{ readonly repo?: string; readonly tags: readonly string[] }> {
  const [first, ...others] = loose;
  const misplaced = (options.text("repo") === undefined ? others : loose).find(isRepo);
  if (misplaced !== undefined) {
    const words = loose.filter((word) => word !== misplaced);
    const right = options.text("repo") === undefined && !(first !== undefined && isRepo(first))
      ? `REPO comes first: dapp ${command.path} ${[misplaced, ...words].join(" ")}`
      : "there is one REPO already, and what follows it are tags";
    throw usage(`Cannot restore "${misplaced}": ${right}`, command.path);
  }
  if (options.text("repo") !== undefined) return { tags: loose };
  if (first !== undefined && isRepo(first)) return { repo: first, tags: others };
  if (await dappfileRepo(engine) === undefined) {
    const { missingRepo } = await import("../mistakes.ts");
    throw missingRepo(command, "first");
  }
  return { tags: loose };
}

/** `oci:DIR` or host/path; a full name with its tag is none, and a tag has no "/". */
function isRepo(word: string): boolean {
  return word.startsWith("oci:") || /\/[^/:]*$/.test(word);
}

function paint(outcome: RestoredTag["outcome"], style: Style): (text: string) => string {
  switch (outcome) {
    case "restored":
    case "would restore":
      return style.green;
    case "lost":
    case "failed":
      return style.red;
    case "taken":
      return style.yellow;
    case "present":
      return style.dim;
    default:
      return unreachable(outcome);
  }
}
