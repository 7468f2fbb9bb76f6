/** The commands that remove what is on this machine. */
import type {
  LocalCleanupPlan,
  LocalCleanupReport,
  LocalCleanupRequest,
  LocalCleanupRow,
} from "../../mod.ts";
import { columns } from "../columns.ts";
import { agreed, mustAsk } from "../consent.ts";
import { count, formatSize, printable, shortTag } from "../format.ts";
import { improper, nothingChosen } from "../improper.ts";
import type { Style } from "../style.ts";
import { dappfileRepo, findTarget } from "../target.ts";
import type { CommandRun, Context } from "../command.ts";

/** `dapp dimg cleanup`: removes leftovers of all projects. */
export const cleanupLocal: CommandRun = (context) => clean(context, { what: "leftovers" }, { ask: false });

/** `dapp dimg flush local`: removes the project's images. */
export const flushLocal: CommandRun = (context) => {
  const patterns = context.words.DIMG ?? [];
  return clean(context, {
    what: "flush",
    images: true,
    stages: context.options.flag("with-stages"),
    ...(patterns.length > 0 && { patterns }),
  }, { ask: true });
};

/** `dapp dimg stages flush local`: removes the project's stages. */
export const stagesFlushLocal: CommandRun = (context) =>
  clean(context, { what: "flush", images: false, stages: true }, { ask: true });

/** `dapp dimg stages cleanup local`: removes stages of the project, by the flags given. */
export const stagesCleanupLocal: CommandRun = async (context) => {
  const { unneeded, version } = improper(context, "nothing is removed for it");
  const repo = unneeded ? await chosenRepo(context) : await unusedRepo(context);
  return await clean(context, {
    what: "stages",
    ...(repo !== undefined && { improperRepoCache: repo }),
    ...(context.options.flag("force") && { force: true }),
    ...(version && { improperCacheVersion: true }),
  }, { ask: false });
};

async function chosenRepo(context: Context): Promise<string | undefined> {
  const { repo } = await findTarget(context);
  return repo ?? context.options.text("repo") ?? await dappfileRepo(context.engine);
}

/** Old scripts may name REPO although nothing needs it. */
async function unusedRepo({ command, loose, progress, table }: Context): Promise<undefined> {
  if (loose[1] !== undefined) {
    const { extraWord } = await import("../mistakes.ts");
    throw extraWord(command, loose, loose[1], table);
  }
  if (loose[0] !== undefined) progress.note("note: REPO is used with --improper-repo-cache only");
}

/** `dapp dimg mrproper`: removes what all projects have here. */
export const mrproper: CommandRun = async (context) => {
  const { options, command } = context;
  const flags = ["all", "improper-dev-mode-cache", "improper-cache-version-stages"] as const;
  const chosen = flags.find((name) => options.flag(name));
  if (chosen === undefined) throw nothingChosen(command, flags);
  const only = chosen === "all"
    ? {}
    : { only: chosen === "improper-dev-mode-cache" ? "dev" as const : "cache-version" as const };
  return await clean(context, { what: "everything", ...only }, { ask: true });
};

async function clean(
  context: Context,
  request: LocalCleanupRequest,
  { ask }: { readonly ask: boolean },
): Promise<number> {
  const { engine, options, quiet, verbose, style, progress, answer } = context;
  const plan = await (await engine()).planLocalCleanup(request);
  const going = plan.rows.filter(({ verdict }) => verdict === "delete");
  if (options.flag("dry-run")) {
    answer(
      plan,
      () =>
        quiet ? going.map(({ name }) => printable(name)) : [
          ...rowLines(verbose ? plan.rows : worthSaying(plan.rows), (row) => row.verdict, style),
          ...(verbose ? [] : staying(plan.rows)),
          ...summary(plan),
        ],
    );
    return 0;
  }
  if (ask && going.length > 0 && mustAsk(context)) {
    const question = `Delete ${counted(going)} from this machine?`;
    if (!await agreed(context, question, preview(plan, going, style))) {
      answer({ plan }, () => []);
      return 1;
    }
  } else for (const line of summary(plan)) progress.note(line);
  const report = await (await engine()).applyLocalCleanup(plan);
  answer({ plan, report }, () => reportLines(report, { quiet, style }));
  return 0;
}

/** What goes, and what stays although it was meant. */
function worthSaying(rows: readonly LocalCleanupRow[]): readonly LocalCleanupRow[] {
  return rows.filter(({ verdict, kind }) => verdict === "delete" || kind !== "stage");
}

/** How many stages stay, by why: those of other projects are many, and none of them is of interest here. */
function staying(rows: readonly LocalCleanupRow[]): readonly string[] {
  const kept = rows.filter(({ verdict, kind }) => verdict === "keep" && kind === "stage");
  const groups = [...Map.groupBy(kept, ({ why }) => why.replace(/built .*/, "built a short while ago"))];
  return groups.map(([why, own]) => `${count(own.length, "stage")} to keep: ${printable(why)}`);
}

/** Names that a question shows. */
const SHOWN = 10;

function preview(plan: LocalCleanupPlan, going: readonly LocalCleanupRow[], style: Style): readonly string[] {
  return [
    ...rowLines(going.slice(0, SHOWN), (row) => row.verdict, style).map((line) => `  ${line}`),
    ...(going.length > SHOWN ? [`  and ${going.length - SHOWN} more`] : []),
    ...summary(plan),
  ];
}

function rowLines(
  rows: readonly LocalCleanupRow[],
  word: (row: LocalCleanupRow) => string,
  style: Style,
): readonly string[] {
  const sorted = [
    ...rows.filter(({ verdict }) => verdict === "keep"),
    ...rows.filter(({ verdict }) => verdict === "delete"),
  ];
  const lines = columns(sorted.map((row) => [
    word(row),
    row.kind,
    printable(shortTag(row.title === undefined ? row.name : `${row.title} ${row.name}`)),
    row.bytes === undefined ? "" : formatSize(row.bytes),
    printable(row.why),
  ]));
  return lines.map((line, i) => sorted[i]!.verdict === "keep" ? style.dim(line) : line);
}

/** `2 stages, 1 docker image` */
function counted(rows: readonly LocalCleanupRow[]): string {
  const kinds = ["stage", "docker image", "directory"] as const;
  return kinds.flatMap((kind) => {
    const n = rows.filter((row) => row.kind === kind).length;
    return n === 0 ? [] : [kind === "directory" && n > 1 ? `${n} directories` : count(n, kind)];
  }).join(", ") || "nothing";
}

function summary({ rows, freedBytes, notes, home }: LocalCleanupPlan): readonly string[] {
  const [going, kept] = (["delete", "keep"] as const)
    .map((verdict) => counted(rows.filter((row) => row.verdict === verdict)));
  return [
    ...notes.map((note) => `note: ${printable(note)}`),
    `${home}: ${going} to delete, ${kept} to keep; ${formatSize(freedBytes)} will be free`,
  ];
}

function reportLines(
  { removed, freedBytes, spared }: LocalCleanupReport,
  { quiet, style }: { readonly quiet: boolean; readonly style: Style },
): readonly string[] {
  if (quiet) return removed.map(({ name }) => printable(name));
  return [
    ...rowLines(removed, () => "deleted", style),
    ...spared.map(({ name, why }) => `${style.yellow("spared ")}  ${printable(`${name}  ${why}`)}`),
    `${counted(removed)} deleted${spared.length > 0 ? `, ${spared.length} spared` : ""}; ${
      formatSize(freedBytes)
    } freed`,
  ];
}
