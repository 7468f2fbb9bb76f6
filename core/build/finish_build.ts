import type { EngineEvent, EventSink } from "../contract/events.ts";
import type { BuildResult, BuiltImage } from "../contract/results.ts";
import type { StageRecord, Store } from "../contract/store.ts";
import type { Elsewhere } from "../layers/elsewhere.ts";
import type { SignedImage } from "../sign/sign.ts";
import type { BuildProgress } from "./build_progress.ts";
import { finishImage } from "./finish_image.ts";
import type { Stopwatch } from "./stopwatch.ts";

/** How many of the slowest stages are named. */
const SLOWEST = 5;

/** What ending a build takes. */
export interface FinishInputs {
  readonly project: string;
  readonly platform: string;
  readonly store: Store;
  readonly emit: EventSink;
  /** Manifests and configurations may not be in the store. */
  readonly write: boolean;
  /** Absent where nothing was to be made. */
  readonly progress: BuildProgress | undefined;
  readonly watch: Stopwatch;
  rows(): Promise<BuildResult["stages"]>;
}

/** The result of a build whose last stages are known, told image by image and then as a whole. */
export async function finishBuild(
  images: readonly SignedImage[],
  records: readonly StageRecord[],
  { project, platform, store, emit, write, progress, watch, rows }: FinishInputs,
): Promise<BuildResult> {
  const builtOf = ({ node }: SignedImage) => progress?.builtByImage.get(node.key) ?? 0;
  const ready: BuiltImage[] = [];
  for (const [i, image] of images.entries()) {
    const done = await finishImage(image, records[i]!, store, { write });
    ready.push(done);
    const { publishingMs: _, ...times } = progress?.timesOf(image.node.key) ?? watch.times;
    const built = builtOf(image);
    const { name, kind, digest, signature } = done;
    const counts = { built, reused: image.stages.length - built };
    emit({ type: "image.ready", image: name, kind, digest, signature, ...counts, ...times });
  }
  const stages = await rows();
  watch.stop();
  const result: BuildResult = {
    project,
    platform,
    images: ready,
    stagesBuilt: progress ? [...progress.builtByImage.values()].reduce((a, b) => a + b, 0) : 0,
    stagesReused: images.reduce((sum, image) => sum + image.stages.length - builtOf(image), 0),
    stages,
    times: watch.times,
  };
  emit(summaryOf(result));
  return result;
}

function summaryOf({ images, stagesBuilt, stagesReused, stages, times }: BuildResult): EngineEvent {
  const built = stages.flatMap(({ image, kind, stage, times }) =>
    times ? [{ at: { image, kind, stage }, ms: times.ms }] : []
  );
  const slowest = built.sort((a, b) => b.ms - a.ms).slice(0, SLOWEST);
  return { type: "build.finished", images: images.length, stagesBuilt, stagesReused, ...times, slowest };
}

/** Brings the layers of stages that were made upon layers elsewhere and are nowhere by themselves. */
export async function bringUnpublished(
  records: readonly (StageRecord | undefined)[],
  { stages }: Pick<Store, "stages">,
  elsewhere: Pick<Elsewhere, "placeOf" | "ref">,
): Promise<void> {
  await Promise.all(records.map(async (record) => {
    if (!record || await stages.whole(record.signature)) return;
    if ((await stages.record(record.signature))?.elsewhere) return;
    await Promise.all(record.image.layers.map(async (layer) => {
      const place = elsewhere.placeOf(layer);
      if (place !== undefined) await elsewhere.ref(layer, place).stored;
    }));
  }));
}
