import type { BuildProgress } from "./build_progress.ts";
import { Executor } from "./execute.ts";
import type { LiveCache } from "../share/live_cache.ts";
import { type CachedTops, neededImages, planBuild, type PlanInputs, withoutStages } from "../plan/plan.ts";
import type { StageRecord } from "../contract/store.ts";
import { needsBuilder } from "../sign/needs_builder.ts";
import type { SignedGraph, SignedImage, SignedStage } from "../sign/sign.ts";
import type { StageWorker } from "./stage_work.ts";
import type { BuildExtras, BuildNeeds } from "./needs.ts";
import type { Signature } from "../contract/signature.ts";
import type { Ledger } from "./ledger.ts";
import type { Stopwatch } from "./stopwatch.ts";
import { refOf } from "../sign/stage_ref.ts";

export interface RunBuild {
  readonly session: BuildNeeds;
  /** The worker of this build, made when it is first asked for. */
  readonly worker: () => Promise<StageWorker>;
  readonly signed: SignedGraph;
  readonly tops: CachedTops;
  readonly keys: ReadonlySet<string>;
  readonly images: readonly SignedImage[];
  readonly inputs: PlanInputs;
  readonly options: BuildExtras;
  /** Stages shared through registries. */
  readonly cache: LiveCache | undefined;
  readonly watch: Stopwatch;
  /** Told when nothing but building is left to do. */
  readonly prepared: () => void;
  readonly ledger: Ledger;
  /** Ends the build: the user's, and `stop`. */
  readonly signal: AbortSignal;
  /** Ends what runs once a stage has failed, when that is wanted. */
  readonly stop?: AbortController;
}

/** Builds what is missing. */
export async function runBuild(
  run: RunBuild,
): Promise<{ readonly records: readonly StageRecord[]; readonly progress: BuildProgress }> {
  const { session, signed, keys, images, inputs, options, cache, ledger, signal, stop } = run;
  const { emit, parallel, parallelUnset, lockTimeoutMs, epoch } = session.options;
  const forced = await forcedStages(run);
  await inputs.store.locks.claim(
    signed.images.flatMap(({ stages }) => stages.map(({ signature }) => signature)),
  );
  const tops = await withoutStages(signed, run.tops, forced, inputs.store);
  const worker = await run.worker();
  worker.shared = cache?.shared;
  const missing = missingStages(run, tops);
  for (const { image, stage } of missing) ledger.plan(stage.signature, refOf(image, stage));
  if (missing.length > 0) {
    await options.mayBuild?.();
    emit({ type: "build.started", stages: ledger.planned.map(([signature, at]) => ({ at, signature })) });
  }
  const running = missing.filter(({ stage }) => needsBuilder(stage));
  if (running.length > 0) worker.builder.warmUp();
  const rules = [...new Set(running.map(({ image }) => image.node.rule))].filter(({ secrets, ssh }) =>
    secrets.length + ssh.length > 0
  );
  if (rules.length > 0) await worker.loadSecrets(rules);
  const commit = missing.length > 0 ? await session.trees.commit() : undefined;
  run.prepared();
  const executor = new Executor(signed, tops, {
    ...inputs,
    worker,
    emit,
    signal,
    ...(stop && { stop }),
    watch: run.watch,
    ledger,
    parallel,
    lockTimeoutMs,
    epoch,
    commit,
    wanted: keys,
    forced,
    shared: {
      take: (image, stage) => cache?.takeLate(image, stage) ?? Promise.resolve(undefined),
      registryFor: (task) => cache?.registryFor(task),
      elsewhere: cache?.shared.elsewhere,
      saved(image, stage, record) {
        cache?.publish(image, stage, record, { made: true });
        options.onSaved?.(image, stage, record);
      },
    },
  });
  if (running.length > 0 && parallelUnset) {
    worker.builder.watchCapacity((steps) => executor.resize(steps));
  }
  const { progress } = executor;
  const records = await executor.run(images.map((image) => image.node.key));
  if (options.introspect) {
    const needed = neededImages(signed, tops, keys);
    for (const image of signed.images.filter(({ node }) => !needed.has(node.key))) {
      const places = { stages: inputs.store.stages, elsewhere: cache?.shared.elsewhere };
      await worker.shells.unneeded(image, tops.get(image.node.key), places);
    }
  }
  return { records, progress };
}

/** Stages that plugins want built though they are there. */
async function forcedStages(
  { session, signed, keys, inputs }: Pick<RunBuild, "session" | "signed" | "keys" | "inputs">,
): Promise<ReadonlySet<Signature>> {
  const hooks = await session.hooks();
  const forced = new Set<Signature>();
  if (!hooks.has("plan")) return forced;
  const { images } = await hooks.waterfall("plan", await planBuild(signed, keys, inputs));
  for (const { stages } of images) {
    const first = stages.findIndex(({ state }) => state === "build");
    if (first >= 0) stages.slice(first).forEach(({ signature }) => forced.add(signature));
  }
  return forced;
}

/** What is to be made, of each image that is needed. */
function missingStages(
  { signed, keys }: Pick<RunBuild, "signed" | "keys">,
  tops: CachedTops,
): readonly { readonly image: SignedImage; readonly stage: SignedStage }[] {
  const needed = neededImages(signed, tops, keys);
  return signed.images.filter(({ node }) => needed.has(node.key)).flatMap((image) => {
    const first = (tops.get(image.node.key)?.index ?? -1) + 1;
    return image.stages.slice(first).map((stage) => ({ image, stage }));
  });
}
