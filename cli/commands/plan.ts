import type { Plan, PlannedStage } from "../../mod.ts";
import { count, imageTitle, printable } from "../format.ts";
import type { Style } from "../style.ts";
import { widthOf } from "../io.ts";
import { displayWidth, wrap } from "../width.ts";
import type { CommandRun } from "../command.ts";

/** `dapp dimg plan`: a table of every stage with its state and the reason. */
export const plan: CommandRun = async ({ engine, words, quiet, style, io, answer }) => {
  const result = await (await engine()).plan(words.DIMG ?? []);
  answer(result, () => quiet ? toBuild(result) : planTable(result, style, widthOf(io.stdout)));
  return 0;
};

/** `image/stage` of each stage that will be built. */
function toBuild({ images }: Plan): string[] {
  return images.flatMap(({ name, kind, stages }) =>
    stages.filter(({ state }) => state === "build").map(({ stage }) => `${imageTitle(name, kind)}/${stage}`)
  );
}

function planTable({ images }: Plan, style: Style, columns: number): string[] {
  const all = images.flatMap(({ stages }) => stages);
  const width = Math.max(0, ...all.map(({ stage }) => displayWidth(stage)));
  const lines: string[] = [];
  for (const { name, kind, stages } of images) {
    lines.push(style.bold(imageTitle(name, kind)));
    for (const stage of stages) lines.push(...stageLines(stage, { width, style, columns }));
  }
  const counted = (["build", "cached", "covered", "unneeded"] as const).flatMap((state) => {
    const n = all.filter((stage) => stage.state === state).length;
    return n > 0 ? [`${n} ${state === "build" ? "to build" : state}`] : [];
  });
  const summary = `${count(all.length, "stage")}: ${counted.join(", ") || "nothing to do"}`;
  return [...lines, "", ...wrap(summary, columns)];
}

/** Room that a reason wants beside the state; with less it stands below. */
const REASON_COLUMNS = 30;

function stageLines(
  { stage, state, reason, hermetic, runsAt }: PlannedStage,
  { width, style, columns }: { readonly width: number; readonly style: Style; readonly columns: number },
): string[] {
  const word = state.padEnd("unneeded".length);
  const paints = { build: style.yellow, cached: style.green, covered: style.dim, unneeded: style.dim };
  const painted = paints[state](word);
  const head = `  ${stage}${" ".repeat(width - displayWidth(stage))}  ${painted}`;
  const beside = displayWidth(head) + 2;
  // Where commands run is news when it is not this machine.
  const place = runsAt?.address === undefined ? "" : `  at ${printable(runsAt.address)}`;
  const marked = `${printable(reason)}${place}${hermetic ? "" : `  ${style.yellow("(not hermetic)")}`}`;
  const below = columns - beside < REASON_COLUMNS;
  const indent = below ? 4 : beside;
  if (beside + displayWidth(marked) <= columns) return [`${head}  ${marked}`];
  const [first = "", ...more] = wrap(marked, Math.max(1, columns - indent));
  const lines = more.map((line) => " ".repeat(indent) + line);
  return below ? [head.trimEnd(), " ".repeat(indent) + first, ...lines] : [`${head}  ${first}`, ...lines];
}
