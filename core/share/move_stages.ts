import type { StageMoves } from "../api.ts";
import type { Signature } from "../contract/digest.ts";
import { stageTag } from "../contract/labels.ts";
import type { Session } from "../session/session.ts";
import type { SignedGraph, SignedImage, SignedStage } from "../sign/sign.ts";
import { refOf } from "../sign/stage_ref.ts";
import { GuardedStages } from "./guarded_stages.ts";
import { openShared } from "./open_shared.ts";
import { repoOf } from "../session/repos.ts";
import type { MovedStage } from "../contract/results.ts";
import type { SharedStages } from "./shared_stages.ts";

/** Moves the stages of the selected images between the store and REPO. One session for each platform. */
export async function moveStages(
  sessions: readonly [Session, ...Session[]],
  patterns: readonly string[],
  { repo: given, all, way }: {
    readonly repo?: string;
    readonly all?: boolean;
    readonly way: "push" | "pull";
  },
): Promise<StageMoves> {
  const { dryRun } = sessions[0].options;
  const repo = await repoOf(sessions[0], given);
  for (const each of sessions) each.mainRepo = repo;
  const stages: MovedStage[] = [];
  for (const session of sessions) {
    const nodes = await session.select(patterns);
    const signed = await session.sign(new Set(nodes.map(({ key }) => key)));
    const shared = await openShared(session, signed, { repo, readOnly: way === "pull", mustReach: true });
    const moved = way === "push"
      ? pushStages(session, signed, shared)
      : pullStages(session, signed, shared, all ?? false);
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
  session: Session,
  signed: SignedGraph,
  shared: SharedStages,
  planned: ReadonlySet<Signature> = new Set(),
): Promise<readonly MovedStage[]> {
  const guard = session.options.dryRun ? undefined : await GuardedStages.start(session, signed, shared);
  try {
    const rows = await pushAll(session, signed, shared, planned);
    await guard?.finish();
    return rows;
  } catch (error) {
    await guard?.abandon();
    throw error;
  }
}

async function pushAll(
  session: Session,
  signed: SignedGraph,
  shared: SharedStages,
  planned: ReadonlySet<Signature>,
): Promise<readonly MovedStage[]> {
  const store = await session.store();
  const push = async (image: SignedImage, stage: SignedStage): Promise<MovedStage["state"]> => {
    const record = await store.stage(stage.signature);
    if (session.options.dryRun && (record || planned.has(stage.signature))) {
      return await shared.isPublished(stage.signature) ? "exists" : "would push";
    }
    return record ? await shared.publish(image, stage, record) ?? "not built" : "not built";
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
 * every one that is missing. Stages that nobody has are no failure.
 */
export async function pullStages(
  session: Session,
  signed: SignedGraph,
  shared: SharedStages,
  all: boolean,
): Promise<readonly MovedStage[]> {
  const store = await session.store();
  const moved = mover(shared);
  const rows = await Promise.all(signed.images.map(async (image) => {
    const out: MovedStage[] = [];
    for (const stage of image.stages.toReversed()) {
      if (await store.stage(stage.signature)) {
        out.push(moved(image, stage, "exists"));
        if (!all) break;
        continue;
      }
      const found = await shared.find(stage.signature);
      const taken = found && !session.options.dryRun ? await shared.take(image, stage, found) : found;
      out.push(moved(image, stage, !taken ? "absent" : session.options.dryRun ? "would pull" : "pulled"));
      if (taken && !all) break;
    }
    return out.reverse();
  }));
  return once(rows.flat());
}

/** One row for a stage that several images share, and the one that says it was moved. */
function once(rows: readonly MovedStage[]): readonly MovedStage[] {
  const out = new Map<Signature, MovedStage>();
  const moved = ({ state }: MovedStage) => !["exists", "absent", "not built"].includes(state);
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
    reference: `${repository.name}:${stageTag(stage.signature)}`,
    state,
  });
}
