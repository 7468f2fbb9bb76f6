import type { BuildResult } from "../contract/results.ts";
import { planBuild, type PlanInputs } from "../plan/plan.ts";
import { stageTitle } from "../sign/graph.ts";
import type { SignedGraph } from "../sign/sign.ts";
import type { BuildExtras, BuildNeeds } from "./needs.ts";

/** How a stage of the plan is called in the result; those that nothing needs are not in it. */
const STATES = { build: "would build", cached: "reused", covered: "covered", unneeded: undefined } as const;

/** Says what a build of the images `keys` would make, and why. */
export async function dryRun(
  signed: SignedGraph,
  keys: ReadonlySet<string>,
  { session, inputs, options }: {
    readonly session: Pick<BuildNeeds, "hooks"> & { readonly options: Pick<BuildNeeds["options"], "emit"> };
    readonly inputs: PlanInputs;
    readonly options: Pick<BuildExtras, "onPlanned">;
  },
): Promise<Omit<BuildResult, "times">> {
  const hooks = await session.hooks();
  const { platform, images } = await hooks.waterfall("plan", await planBuild(signed, keys, inputs));
  const planned = images.flatMap(({ name: image, kind, stages }) =>
    stages.map((stage) => ({ at: { image, kind, stage: stage.stage }, stage }))
  );
  const stages = planned.flatMap(({ at, stage: { signature, state } }) => {
    const called = STATES[state];
    return called === undefined ? [] : [{ ...at, platform, signature, state: called }];
  });
  for (const { at, stage } of planned) {
    if (stage.state !== "build") continue;
    options.onPlanned?.(stage.signature);
    const text = `Would build ${stageTitle(at)}: ${stage.reason}`;
    session.options.emit({ type: "note", level: "info", text });
  }
  const count = (state: BuildResult["stages"][number]["state"]) =>
    stages.filter((stage) => stage.state === state).length;
  return {
    project: inputs.project,
    platform: inputs.platform,
    images: [],
    stagesBuilt: count("would build"),
    stagesReused: count("reused"),
    stages,
  };
}
