import { manifestOf } from "../../lib/oci/build.ts";
import type { Signature } from "../contract/signature.ts";
import type { BuiltStage } from "../contract/results.ts";
import type { StageRecord, Store } from "../contract/store.ts";
import { refOf } from "../sign/stage_ref.ts";
import type { SignedImage } from "../sign/sign.ts";
import type { Ledger } from "./ledger.ts";

export interface StageRowsInputs {
  readonly store: Store;
  readonly platform: string;
  readonly ledger: Ledger;
  /** Repositories that stages were taken from in this run. */
  readonly taken: ReadonlyMap<Signature, string>;
}

/** What became of every stage of the images. */
export async function stageRows(
  images: readonly SignedImage[],
  inputs: StageRowsInputs,
): Promise<readonly BuiltStage[]> {
  return (await Promise.all(images.map((image) => rowsOf(image, inputs)))).flat();
}

async function rowsOf(image: SignedImage, inputs: StageRowsInputs): Promise<readonly BuiltStage[]> {
  const records = await Promise.all(
    image.stages.map(({ signature }) => known(inputs.store, signature)),
  );
  return await Promise.all(image.stages.map(async (stage, i) => {
    const { signature } = stage;
    const record = records[i];
    const facts = {
      ...refOf(image, stage),
      platform: inputs.platform,
      signature,
      ...(record?.builtBy && { builtBy: record.builtBy }),
      ...(record && await sizes(record, i === 0 ? stage.spec.work.kind : records[i - 1])),
    };
    const outcome = inputs.ledger.outcome(signature);
    if (outcome?.state === "built") {
      const { state, ...times } = outcome;
      return { ...facts, state, times };
    }
    const from = inputs.taken.get(signature);
    if (from !== undefined) return { ...facts, state: "fetched" as const, from };
    return { ...facts, state: record ? "reused" as const : "covered" as const };
  }));
}

/** The record of a stage that is here, or known to be in a registry. */
async function known({ stages }: Store, signature: Signature): Promise<StageRecord | undefined> {
  const whole = await stages.whole(signature);
  if (whole) return whole;
  const record = await stages.record(signature);
  return record?.elsewhere && record;
}

/** @param before the stage before it, undefined when it is not here; what the stage itself does when it is the first */
async function sizes(
  record: StageRecord,
  before: StageRecord | string | undefined,
): Promise<Pick<BuiltStage, "size" | "digest">> {
  const { manifest } = await manifestOf(record.image);
  const { digest } = manifest;
  if (before === undefined) return { digest };
  if (typeof before === "string") {
    // Which layers are a Dockerfile's own is known where it was built.
    const known = before !== "dockerfile" || record.addedBytes > 0;
    return { digest, ...(known && { size: record.addedBytes }) };
  }
  const below = new Set(before.image.layers.map((layer) => layer.digest));
  const added = record.image.layers.filter((layer) => !below.has(layer.digest));
  return { digest, size: added.reduce((sum, { size }) => sum + size, 0) };
}
