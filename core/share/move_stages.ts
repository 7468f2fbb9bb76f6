import type { SignedGraph, SignedImage, SignedStage } from "../sign/sign.ts";
import { observed } from "../../lib/pool.ts";
import { refOf } from "../sign/stage_ref.ts";
import { GuardedStages } from "./guarded_stages.ts";
import { openShared, type ShareNeeds } from "./open_shared.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { ImageNode } from "../sign/graph.ts";
import type { MovedStage } from "../contract/results.ts";
import { stageReference } from "./read_stage.ts";
import type { SharedStages } from "./shared_stages.ts";
import type { StagePublisher } from "./stage_publisher.ts";
import type { Signature } from "../contract/signature.ts";

/** What moving stages takes. */
export interface MoveNeeds extends ShareNeeds {
  readonly options: ShareNeeds["options"] & Pick<ResolvedOptions, "dryRun">;
  select(patterns: readonly string[]): Promise<readonly ImageNode[]>;
  sign(keys: ReadonlySet<string>): Promise<SignedGraph>;
}

/** Moves the stages of the selected images between the store and REPO. One session for each platform. */
export async function moveStages(
  sessions: readonly [MoveNeeds, ...MoveNeeds[]],
  patterns: readonly string[],
  { repo, all, way }: {
    readonly repo: string;
    readonly all?: boolean;
    readonly way: "push" | "pull";
  },
): Promise<StageMoves> {
  const { dryRun } = sessions[0].options;
  const writes = way === "push" && !dryRun;
  // The registry answers while git is asked.
  for (const session of sessions) observed(session.registry(repo, { writes }));
  const stages: MovedStage[] = [];
  for (const session of sessions) {
    const nodes = await session.select(patterns);
    const signed = await session.sign(new Set(nodes.map(({ key }) => key)));
    const shared = await openShared(session, signed, { repo, readOnly: way === "pull", mustReach: true });
    const moved = way === "push"
      ? pushStages(shared, { dryRun })
      : pullStages(shared, { dryRun, all: all ?? false });
    stages.push(...await moved);
  }
  const { name } = (await sessions[0].registry(repo)).value.repository("");
  return { repo: name, dryRun, stages };
}

/**
 * Publishes every stage of the signed images that is in the store.
 *
 * @param planned stages that will be there, on a dry run
 */
export async function pushStages(
  shared: SharedStages,
  { dryRun, planned = new Set() }: { readonly dryRun: boolean; readonly planned?: ReadonlySet<Signature> },
): Promise<readonly MovedStage[]> {
  const publisher = shared.publisher!; // REPO was opened for it
  const guard = dryRun ? undefined : await GuardedStages.start(shared.finder, publisher);
  try {
    const rows = await pushAll(shared, publisher, dryRun ? planned : undefined);
    await guard?.finish();
    return rows;
  } catch (error) {
    await guard?.abandon();
    throw error;
  }
}

/** @param planned on a dry run: stages that would be in the store */
async function pushAll(
  shared: SharedStages,
  publisher: StagePublisher,
  planned: ReadonlySet<Signature> | undefined,
): Promise<readonly MovedStage[]> {
  const { options: { signed, store }, finder } = shared;
  const push = async (image: SignedImage, stage: SignedStage): Promise<MovedStage["state"]> => {
    const record = await store.stages.whole(stage.signature);
    if (planned && (record || planned.has(stage.signature))) {
      return await finder.published(stage.signature) ? "exists" : "would push";
    }
    if (record) return await publisher.publish(image, stage, record) ?? "not built";
    const left = (await store.stages.record(stage.signature))?.elsewhere?.repository ===
      publisher.needs.target.name;
    return left && await finder.published(stage.signature) ? "exists" : "not built";
  };
  const moved = mover(shared);
  const rows = await Promise.all(
    signed.images.map((image) =>
      Promise.all(image.stages.map(async (stage) => moved(image, stage, await push(image, stage))))
    ),
  );
  return once(rows.flat());
}

/**
 * Takes from the sources, for each image that is needed, the highest stage above those in the store, or with `all`
 * every one that is missing. Stages that nobody has, or has whole, are no failure.
 */
export async function pullStages(
  shared: SharedStages,
  { dryRun, all }: { readonly dryRun: boolean; readonly all: boolean },
): Promise<readonly MovedStage[]> {
  const { signed, store } = shared.options;
  const moved = mover(shared);
  const rows = await Promise.all(signed.images.map(async (image) => {
    const out: MovedStage[] = [];
    for (const stage of image.stages.toReversed()) {
      if (await store.stages.whole(stage.signature)) {
        out.push(moved(image, stage, "exists"));
        if (!all) break;
        continue;
      }
      const found = await shared.finder.find(stage.signature, { wanted: !dryRun });
      const taken = found && !dryRun ? await shared.taker.take(image, stage, found, { unseen: true }) : found;
      const state = taken ? dryRun ? "would pull" : "pulled" : found ? "unusable" : "absent";
      out.push(moved(image, stage, state));
      if (taken && !all) break;
    }
    return out.reverse();
  }));
  return once(rows.flat());
}

/** One row for a stage that several images share, and the one that says it was moved. */
function once(rows: readonly MovedStage[]): readonly MovedStage[] {
  const out = new Map<Signature, MovedStage>();
  const moved = ({ state }: MovedStage) => !["exists", "absent", "unusable", "not built"].includes(state);
  for (const row of rows) {
    const known = out.get(row.signature);
    if (!known || (moved(row) && !moved(known))) out.set(row.signature, row);
  }
  return [...out.values()];
}

/** Makes rows that name stages as the registry does. */
function mover(shared: SharedStages) {
  const repository = shared.options.target ?? shared.options.sources[0]!;
  return (image: SignedImage, stage: SignedStage, state: MovedStage["state"]): MovedStage => ({
    ...refOf(image, stage),
    signature: stage.signature,
    reference: stageReference(repository, stage.signature),
    state,
  });
}

/** Stages moved between the store and REPO. */
export interface StageMoves {
  /** REPO in full. */
  readonly repo: string;
  /** Nothing was changed, only told. */
  readonly dryRun: boolean;
  /** One row for each stage. */
  readonly stages: readonly MovedStage[];
}
