/** The commands that move stages between the store and a registry. */
import type { StageMoves } from "../../mod.ts";
import { stageTitle } from "../render/lines.ts";
import { findTarget } from "../target.ts";
import type { CommandRun, Context } from "../command.ts";

/** `dapp dimg stages push`: publishes stages and prints what became of each. */
export const stagesPush: CommandRun = async (context) => {
  const { patterns, repo } = await findTarget(context, { git: true });
  const engine = await context.engine();
  const moves = await engine.pushStages(patterns, { ...(repo !== undefined && { repo }) });
  if (moves.stages.every(({ state }) => state === "not built")) {
    context.progress.note("note: nothing to push: no stage of the current state is built");
  } else if (moves.dryRun && !moves.stages.some(({ state }) => state === "would push")) {
    context.progress.note(`note: nothing to push: ${moves.repo} has every stage that is built here`);
  }
  return answerMoves(context, moves);
};

/** `dapp dimg stages pull`: takes stages from REPO and prints what became of each. Finding none is no failure. */
export const stagesPull: CommandRun = async (context) => {
  const { patterns, repo } = await findTarget(context, { git: true });
  const engine = await context.engine();
  const moves = await engine.pullStages(patterns, {
    ...(repo !== undefined && { repo }),
    ...(context.options.flag("all") && { all: true }),
  });
  const { stages } = moves;
  if (!stages.some(({ state }) => state === "pulled" || state === "would pull")) {
    const why = stages.some(({ state }) => state === "unusable")
      ? `${moves.repo} has none of the stages that are missing here whole. See what it lacks with: ` +
        `dapp dimg check repo ${moves.repo}`
      : stages.some(({ state }) => state === "absent")
      ? `${moves.repo} has none of the stages that are missing here`
      : "every stage is here";
    context.progress.note(`note: nothing to pull: ${why}`);
  }
  return answerMoves(context, moves);
};

/** On a dry run exactly what would be written, otherwise every stage with its state. */
function answerMoves({ answer, quiet }: Context, moves: StageMoves): number {
  const { stages, dryRun } = moves;
  const width = Math.max(0, ...stages.map(({ state }) => state.length));
  answer(moves, () =>
    stages
      .filter(({ state }) =>
        state === "pushed" || state === "pulled" || state.startsWith("would ") ||
        !dryRun && !quiet
      )
      .map((stage) =>
        quiet
          ? stage.reference
          : dryRun
          ? `${stage.state} ${stage.reference}`
          : `${stage.state.padEnd(width)}  ${stageTitle(stage)}  ${stage.reference}`
      ));
  return 0;
}
