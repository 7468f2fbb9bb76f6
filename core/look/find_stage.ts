import { EngineError } from "../contract/errors.ts";
import type { Signature } from "../contract/signature.ts";
import { stageOf } from "../plan/explain.ts";
import { imageTitle, stageTitle } from "../sign/graph.ts";
import { lastStage, type SignedImage, type SignedStage } from "../sign/sign.ts";
import { refOf } from "../sign/stage_ref.ts";
import type { LookNeeds } from "./needs.ts";

/** A stage of a dimg as the project stands now. */
export interface NamedStage {
  readonly title: string;
  readonly signature: Signature;
  readonly image: SignedImage;
  readonly stage: SignedStage;
}

/**
 * The stage that `DIMG` or `DIMG/STAGE` means, without a name the last one of the only dimg. Undefined for what can only
 * be an image of a registry.
 *
 * @throws DIMG_UNKNOWN, STAGE_UNKNOWN, USAGE
 */
export async function findStage(
  session: LookNeeds,
  name: string | undefined,
): Promise<NamedStage | undefined> {
  const { pattern, stageName } = name === undefined ? {} : await partsOf(session, name);
  if (name !== undefined && pattern === undefined) return undefined;
  const node = await session.selectOne(pattern);
  const image = (await session.sign(new Set([node.key]))).image(node.key);
  if (stageName === undefined) {
    const stage = lastStage(image);
    return { title: imageTitle("dimg", node.rule.name), signature: stage.signature, image, stage };
  }
  const stage = stageOf(image, stageName);
  return { title: stageTitle(refOf(image, stage)), signature: stage.signature, image, stage };
}

/** A dimg and a stage; neither for what can only be in a registry. */
async function partsOf(
  session: LookNeeds,
  name: string,
): Promise<{ readonly pattern?: string; readonly stageName?: string }> {
  // Neither is in the name of a dimg.
  if (/[:@]/.test(name)) return {};
  const dimgs = await dimgsOf(session);
  const slash = name.lastIndexOf("/");
  const dimg = name.slice(0, Math.max(slash, 0));
  if (dimgs.includes(name)) return { pattern: name };
  if (dimgs.includes(dimg)) return { pattern: dimg, stageName: name.slice(slash + 1) };
  return /^([^/]*\.[^/]*|localhost)\//.test(name) ? {} : { pattern: name };
}

/** A project without a dappfile has none. */
async function dimgsOf(session: LookNeeds): Promise<readonly string[]> {
  try {
    const { images } = await session.config();
    return images.filter(({ kind, name }) => kind === "dimg" && name !== "").map(({ name }) => name);
  } catch (error) {
    if (error instanceof EngineError && error.code === "CONFIG_NOT_FOUND") return [];
    throw error;
  }
}
