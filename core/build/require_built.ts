import { formatPlatform, hostPlatform } from "../../lib/oci/platform.ts";
import { EngineError } from "../contract/errors.ts";
import type { StageRecord } from "../contract/store.ts";
import type { CachedTops } from "../plan/plan.ts";
import { lastStage, type SignedImage } from "../sign/sign.ts";

/** The record of an image that is finished. @throws NOT_BUILT when its last stage is not in the store */
export function requireBuilt(
  image: SignedImage,
  tops: CachedTops,
  { title, platform }: { readonly title: string; readonly platform: string },
): StageRecord {
  const top = tops.get(image.node.key);
  if (top && top.record.signature === lastStage(image).signature) return top.record;
  const last = top
    ? `its newest built stage is "${image.stages[top.index]!.spec.name}"`
    : "none of its stages is built";
  const [where, option] = platform === formatPlatform(hostPlatform())
    ? ["", ""]
    : [` for ${platform}`, ` --platform ${platform}`];
  throw new EngineError(
    "NOT_BUILT",
    `Cannot use ${title}${where}: it is not built for the current state, ${last}`,
    { fix: `Run: dapp dimg build${option}` },
  );
}
