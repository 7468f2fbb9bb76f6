import type { Builder } from "../contract/builder.ts";
import { EngineError } from "../contract/errors.ts";
import type { Plan, PlannedStage } from "../contract/results.ts";
import type { Store } from "../contract/store.ts";
import { imageKey } from "../sign/graph.ts";
import { needsBuilder } from "../sign/needs_builder.ts";
import type { SignedGraph } from "../sign/sign.ts";
import { type BuilderNeeds, findBuilder, placementOf } from "./open_builder.ts";

/** What it takes to know where commands would run. */
export type PlaceNeeds = BuilderNeeds & { store(): Promise<Store> };

/** A plan that says where commands will run. Without a builder it stays as it is: a build says what is missing. */
export async function withPlaces(plan: Plan, signed: SignedGraph, session: PlaceNeeds): Promise<Plan> {
  const steps = new Set(
    signed.images.flatMap(({ stages }) => stages.filter(needsBuilder).map(({ signature }) => signature)),
  );
  const runs = ({ state, signature }: PlannedStage) => state === "build" && steps.has(signature);
  if (!plan.images.some(({ stages }) => stages.some(runs))) return plan;
  const builder = await findBuilder(session, await session.store()).catch((error) => {
    if (error instanceof EngineError && error.code === "BUILDER_UNAVAILABLE") return undefined;
    throw error;
  });
  if (!builder) return plan;
  await using opened: Builder = builder;
  const { name } = opened;
  const images = await Promise.all(plan.images.map(async (image) => {
    const signedImage = signed.image(imageKey(image.kind, image.name));
    const stages = await Promise.all(image.stages.map(async (row) => {
      const stage = signedImage.stages.find(({ signature }) => signature === row.signature);
      if (!stage || !runs(row)) return row;
      if (stage.spec.work.kind === "dockerfile" && !opened.buildDockerfile) return row;
      const { signature } = stage;
      const placement = placementOf(signedImage, stage);
      return { ...row, runsAt: await opened.place?.({ signature, placement }) ?? { builder: name } };
    }));
    return { ...image, stages };
  }));
  return { ...plan, images };
}
