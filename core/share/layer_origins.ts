import { unreachable } from "../../lib/unreachable.ts";
import type { BaseRule } from "../contract/config.ts";
import type { Signature } from "../contract/signature.ts";
import { isOwn } from "../sign/base_rule.ts";
import { imageKey } from "../sign/graph.ts";
import { lastStage, type SignedGraph, type SignedImage, type SignedStage } from "../sign/sign.ts";

/** The stages that the layers of a stage may come from: its own image's and those of images below. */
export function layerOrigins(
  signed: SignedGraph,
  image: SignedImage,
  stage: SignedStage,
): readonly Signature[] {
  const { rule: { base } } = image.node;
  const below = isOwn(base) ? signed.image(imageKey(base.kind, base.name)) : undefined;
  const own = image.stages.slice(0, image.stages.indexOf(stage) + 1);
  return [
    ...below ? layerOrigins(signed, below, lastStage(below)) : [],
    ...own.filter((each) => addsLayers(each, base)).map(({ signature }) => signature),
  ];
}

/** Whether a stage of an image with that base may have layers that no stage below it has. */
export function addsLayers({ spec: { work } }: SignedStage, base: BaseRule): boolean {
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
