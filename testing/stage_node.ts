import { parseConfig } from "../core/config/parse.ts";
import type { StageNode } from "../core/contract/plugin.ts";

/**
 * A stage as plugins are asked about it: of the first image of a dappfile.
 *
 * @example
 * ```ts
 * import { stageNode } from "@dapp/dapp/testing";
 *
 * const node = stageNode("install", ["npm ci"]);
 * console.assert(node.image.name === "app" && node.commands.length === 1);
 * ```
 */
export function stageNode(
  stage: string,
  commands: readonly string[] = [],
  dappfile = "dimg: app\nfrom: scratch\n",
): StageNode {
  const [image] = parseConfig(dappfile, { file: "dappfile.yaml", env: {} }).config.images;
  if (!image) throw new RangeError("Cannot make a stage: the dappfile has no image");
  return { image, stage, commands };
}
