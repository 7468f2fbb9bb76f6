import { unreachable } from "../../lib/unreachable.ts";
import type { BaseRule } from "../contract/config.ts";
import type { Signature } from "../contract/signature.ts";
import type { ImageState, Layer } from "../contract/store.ts";
import { isOwn } from "../sign/base_rule.ts";
import { imageKey } from "../sign/graph.ts";
import { lastStage, type SignedGraph, type SignedImage, type SignedStage } from "../sign/sign.ts";

/** The stages that the layers of a stage may come from: its own image's and those of images below. */
export function layerOrigins(
  signed: SignedGraph,
  image: SignedImage,
  stage: SignedStage,
): readonly Signature[] {
  const origins: Signature[] = [];
  let [of, count]: [SignedImage | undefined, number] = [image, image.stages.indexOf(stage) + 1];
  while (of) {
    const base: BaseRule = of.node.rule.base;
    const own = of.stages.slice(0, count).filter((each) => addsLayers(each, base));
    origins.push(...own.map(({ signature }) => signature).reverse());
    [of, count] = [isOwn(base) ? signed.image(imageKey(base.kind, base.name)) : undefined, Infinity];
  }
  return origins.reverse();
}

/**
 * The layers that a stage adds, lowest first: those whose rows end the history of its image and say the same. Only the
 * stage's own image is looked at, since whoever publishes the stage may lack those before it. Where the image stands on
 * one of the project that ends with such a stage too, only the highest is sure to be of this one.
 */
export function addedLayers(
  signed: SignedGraph,
  image: SignedImage,
  stage: SignedStage,
  { config: { history = [] }, layers }: ImageState,
): readonly Layer[] {
  if (!addsLayers(stage, image.node.rule.base)) return [];
  if (stage.previous === null) return layers;
  const said = history.at(-1)?.created_by;
  const lower = history.findLastIndex((row) => row.empty_layer || row.created_by !== said);
  const rows = history.length - 1 - lower;
  // Only git brings more than one layer at a time.
  const count = stage.spec.work.kind === "git" && !standsOnAlike(signed, image, stage)
    ? rows
    : Math.min(rows, 1);
  const start = layers.length - count;
  const below = new Set(layers.slice(0, start).map(({ diffId }) => diffId));
  return layers.slice(start).filter(({ diffId }) => !below.has(diffId));
}

/** Whether the first stage upon the base follows one of the same name there. */
function standsOnAlike(signed: SignedGraph, image: SignedImage, stage: SignedStage): boolean {
  const { base } = image.node.rule;
  if (!isOwn(base) || image.stages.indexOf(stage) > 1) return false;
  const below = signed.image(imageKey(base.kind, base.name));
  const last = lastStage(below);
  if (last.spec.work.kind === "from") return standsOnAlike(signed, below, stage);
  return last.spec.name === stage.spec.name;
}

/** Whether a stage of an image with that base may have layers that no stage below it has. */
function addsLayers({ spec: { work } }: SignedStage, base: BaseRule): boolean {
  switch (work.kind) {
    case "from":
      return base.kind === "image";
    case "run":
      return work.commands.length > 0;
    case "docker":
      return false;
    case "dockerfile":
    case "git":
    case "import":
      return true;
    default:
      return unreachable(work);
  }
}
