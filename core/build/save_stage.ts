import { observed } from "../../lib/pool.ts";
import type { ImageState, StageRecord, Store } from "../contract/store.ts";
import { describe, settleImage, type StageOutput } from "../layers/stage_output.ts";
import { isOwn } from "../sign/base_rule.ts";
import type { DockerfilePlan } from "../sign/dockerfile_facts.ts";
import type { GitImagePlan } from "../sign/git_stages.ts";
import type { ImageNode } from "../sign/graph.ts";
import { needsBuilder } from "../sign/needs_builder.ts";
import { lastStage } from "../sign/sign.ts";
import { stageRecord } from "../sign/stage_record.ts";
import type { BaseImages } from "./base_images.ts";
import { keepDocuments } from "./finish_image.ts";
import type { StageProgress } from "./stage_progress.ts";
import type { BuildTask, MadeOutput } from "./stage_task.ts";
import { wholeMs } from "./stopwatch.ts";

/** What saving stages takes. */
export interface SaveNeeds {
  readonly store: Store;
  readonly worker: {
    readonly bases: Pick<BaseImages, "require">;
    readonly session: {
      git(node: ImageNode): Promise<Pick<GitImagePlan, "listings"> | undefined>;
      dockerfile(node: ImageNode): Promise<Pick<DockerfilePlan, "listing">>;
    };
  };
  readonly project: string;
  readonly commit: string | undefined;
  /** Keys of the images that were asked for. */
  readonly wanted: ReadonlySet<string>;
}

/**
 * The image, once its layers are in the store and those of the base are found to be what it says, and the same holds for
 * all that it was made of.
 */
export async function storeOutput(
  { worker }: Pick<SaveNeeds, "worker">,
  { image, stage, parent, others }: BuildTask,
  output: MadeOutput,
): Promise<ImageState> {
  const state = await settleImage(output);
  const { rule } = image.node;
  if (stage.spec.work.kind === "from" && !isOwn(rule.base)) {
    await worker.bases.require(rule, output.layers, image.stages.some(needsBuilder));
  }
  await Promise.all([...parent ? [parent] : [], ...others.values()].map(({ stored }) => stored));
  return state;
}

/** Keeps the record of a stage, beside those of the stages before it, since each waits for the disk. */
export async function saveStage(
  needs: SaveNeeds,
  task: BuildTask,
  output: MadeOutput & Pick<StageOutput, "stored">,
  progress: StageProgress,
): Promise<StageRecord> {
  const { store, project, commit, wanted } = needs;
  const { image, stage, parent } = task;
  const start = wholeMs();
  const listings = observed(saveListings(needs, task));
  // Absent for a base, which adds nothing of its own.
  const before = parent?.layers ?? output.below;
  const isBelow = new Set(before);
  await Promise.all(output.layers.filter((layer) => !isBelow.has(layer)).map(describe));
  const made = wholeMs();
  // Those before it may be slower; that is their time.
  const state = await output.stored;
  const lower = new Set<string>();
  for (const { digest } of await Promise.all((before ?? []).map(describe))) lower.add(digest);
  const waitedMs = parent ? wholeMs() - made : 0;
  await listings;
  const added = before ? state.layers.filter(({ digest }) => !lower.has(digest)) : [];
  const addedBytes = added.reduce((sum, { size }) => sum + size, 0);
  const { runningMs, builtBy } = progress;
  const record = stageRecord(image, stage, {
    image: state,
    trees: output.trees,
    project,
    commit,
    buildMs: runningMs,
    ...(builtBy && { builtBy }),
    addedBytes,
  });
  const isWanted = wanted.has(image.node.key) && stage === lastStage(image);
  const kept = { ...record, ...await leftBelow(store, task) };
  await Promise.all([store.stages.put(kept), isWanted && keepDocuments(state, store)]);
  await store.stages.addHistory(project, image.node.key, stage.spec.name, stage.signature);
  const savingMs = wholeMs() - start - waitedMs;
  await parent?.saved;
  progress.finish({ size: addedBytes, savingMs, waitedMs });
  return record;
}

/** Where the layers are that the stage before it has left elsewhere: a run that is killed now leaves a record that is whole. */
async function leftBelow(
  { stages }: SaveNeeds["store"],
  { stage, parent }: BuildTask,
): Promise<Pick<StageRecord, "elsewhere" | "unseen">> {
  if (!stage.previous || !parent?.layers.some(({ place }) => place !== undefined)) return {};
  await parent.saved;
  const elsewhere = (await stages.record(stage.previous))?.elsewhere;
  return elsewhere ? { elsewhere, unseen: true } : {};
}

/** Keeps the listings that a stage's facts are digests of. */
async function saveListings(
  { store, worker: { session } }: Pick<SaveNeeds, "store" | "worker">,
  { image: { node }, stage }: BuildTask,
): Promise<void> {
  const { name, work: { kind } } = stage.spec;
  if (kind !== "git" && kind !== "dockerfile") return;
  const texts = kind === "git"
    ? await (await session.git(node))?.listings(name) ?? []
    : [await (await session.dockerfile(node)).listing()];
  await Promise.all(texts.map((text) => store.blobs.put(new TextEncoder().encode(text))));
}
