import { Executor } from "./execute.ts";
import { stageTitle } from "../sign/graph.ts";
import type { LiveCache } from "../share/live_cache.ts";
import { type CachedTops, neededImages, planBuild, type PlanInputs, withoutStages } from "../plan/plan.ts";
import type { StageRecord } from "../contract/store.ts";
import { needsBuilder } from "../sign/needs_builder.ts";
import type { SignedGraph, SignedImage } from "../sign/sign.ts";
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

/** Builds what is missing. On a dry run, says what would be built instead. */
export async function runBuild(
  {
    session,
    worker,
    signed,
    tops: cached,
    keys,
    images,
    inputs,
    options,
    cache,
    watch,
    prepared,
    ledger,
    signal,
    stop,
  }: RunBuild,
) {
  const { emit, parallel, parallelUnset, lockTimeoutMs, epoch, dryRun } = session.options;
  const hooks = await session.hooks();
  if (dryRun) {
    const plan = await hooks.waterfall("plan", await planBuild(signed, keys, inputs));
    const stages = plan.images.flatMap((image) => image.stages.map((stage) => ({ image, stage })));
    const states = { build: "would build", cached: "reused", covered: "covered" } as const;
    const rows = stages.flatMap(({ image: { name: image, kind }, stage: { stage, signature, state } }) =>
      state === "unneeded"
        ? []
        : [{ image, kind, stage, platform: plan.platform, signature, state: states[state] }]
    );
    for (const { image, stage } of stages) {
      if (stage.state !== "build") continue;
      options.onPlanned?.(stage.signature);
      const what = stageTitle(image.kind, image.name, stage.stage);
      emit({ type: "note", level: "info", text: `Would build ${what}: ${stage.reason}` });
    }
    const stagesBuilt = stages.filter(({ stage }) => stage.state === "build").length;
    return {
      records: [] as readonly StageRecord[],
      builtByImage: new Map<string, number>(),
      rows,
      timesOf: () => watch.times,
      counts: { stagesBuilt, stagesReused: stages.filter(({ stage }) => stage.state === "cached").length },
    };
  }
  const forced = new Set<Signature>();
  if (hooks.has("plan")) {
    const plan = await hooks.waterfall("plan", await planBuild(signed, keys, inputs));
    for (const { stages } of plan.images) {
      const first = stages.findIndex(({ state }) => state === "build");
      if (first >= 0) stages.slice(first).forEach(({ signature }) => forced.add(signature));
    }
  }
  await inputs.store.locks.claim(
    signed.images.flatMap(({ stages }) => stages.map(({ signature }) => signature)),
  );
  const tops = await withoutStages(signed, cached, forced, inputs.store);
  const stageWorker = await worker();
  stageWorker.shared = cache?.shared;
  const needed = neededImages(signed, tops, keys);
  const missing = signed.images.filter((image) => needed.has(image.node.key)).flatMap((image) =>
    image.stages.slice((tops.get(image.node.key)?.index ?? -1) + 1).map((stage) => ({ image, stage }))
  );
  for (const { image, stage } of missing) ledger.plan(stage.signature, refOf(image, stage));
  if (missing.length > 0) {
    await options.mayBuild?.();
    emit({ type: "build.started", stages: ledger.planned.map(([signature, at]) => ({ at, signature })) });
  }
  const running = missing.filter(({ stage }) => needsBuilder(stage));
  if (running.length > 0) stageWorker.warmUp();
  const rules = [...new Set(running.map(({ image }) => image.node.rule))].filter(({ secrets, ssh }) =>
    secrets.length + ssh.length > 0
  );
  if (rules.length > 0) await stageWorker.loadSecrets(rules);
  const commit = missing.length > 0 ? await session.trees.commit() : undefined;
  prepared();
  const executor = new Executor(signed, tops, {
    ...inputs,
    worker: stageWorker,
    emit,
    signal,
    ...(stop && { stop }),
    watch,
    ledger,
    parallel,
    lockTimeoutMs,
    epoch,
    commit,
    options,
    forced,
    shared: {
      take: (image, stage) => cache?.takeLate(image, stage) ?? Promise.resolve(undefined),
      registryFor: (task) => cache?.registryFor(task),
      elsewhere: cache?.shared.elsewhere,
      saved(image, stage, record) {
        cache?.publish(image, stage, record);
        options.onSaved?.(image, stage, record);
      },
    },
  });
  if (running.length > 0 && parallelUnset) stageWorker.watchCapacity((steps) => executor.resize(steps));
  const records = await executor.run(images.map((image) => image.node.key));
  return {
    records,
    builtByImage: executor.builtByImage,
    rows: [],
    timesOf: (key: string) => executor.timesOf(key),
    counts: { stagesBuilt: executor.built, stagesReused: 0 },
  };
}
