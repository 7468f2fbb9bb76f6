import type { Plan, PlannedStage } from "../../mod.ts";
import { count, imageTitle, printable } from "../format.ts";
import type { Style } from "../style.ts";
import type { CommandRun } from "../command.ts";

/** `dapp dimg plan`: a table of every stage with its state and the reason. */
export const plan: CommandRun = async ({ engine, words, quiet, style, answer }) => {
  const result = await (await engine()).plan(words.DIMG ?? []);
  answer(result, () => quiet ? toBuild(result) : planTable(result, style));
  return 0;
};

/** `image/stage` of each stage that will be built. */
function toBuild({ images }: Plan): string[] {
  return images.flatMap(({ name, kind, stages }) =>
    stages.filter(({ state }) => state === "build").map(({ stage }) => `${imageTitle(name, kind)}/${stage}`)
  );
}

function planTable({ images }: Plan, style: Style): string[] {
  const all = images.flatMap(({ stages }) => stages);
  const width = Math.max(0, ...all.map(({ stage }) => stage.length));
  const lines: string[] = [];
  for (const { name, kind, stages } of images) {
    lines.push(style.bold(imageTitle(name, kind)));
    for (const stage of stages) lines.push(stageLine(stage, width, style));
  }
  const counted = (["build", "cached", "covered", "unneeded"] as const).flatMap((state) => {
    const n = all.filter((stage) => stage.state === state).length;
    return n > 0 ? [`${n} ${state === "build" ? "to build" : state}`] : [];
  });
  return [...lines, "", `${count(all.length, "stage")}: ${counted.join(", ") || "nothing to do"}`];
}

function stageLine({ stage, state, reason, hermetic }: PlannedStage, width: number, style: Style): string {
  const word = state.padEnd("unneeded".length);
  const paints = { build: style.yellow, cached: style.green, covered: style.dim, unneeded: style.dim };
  const painted = paints[state](word);
  return `  ${stage.padEnd(width)}  ${painted}  ${printable(reason)}${
    hermetic ? "" : style.yellow("  (not hermetic)")
  }`;
}
