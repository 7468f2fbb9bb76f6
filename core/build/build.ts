import { requireBuilt } from "./require_built.ts";
import { type ImageNode, imageTitle } from "../sign/graph.ts";
import { EngineError } from "../contract/errors.ts";
import { buildAgain } from "./build_again.ts";
import { stageTag } from "../contract/labels.ts";
import { type CachedTops, findTops, neededImages } from "../plan/plan.ts";
import { observed } from "../../lib/pool.ts";
import { disposeAll, disposing } from "../hooks/dispose.ts";
import type { LateOptions, LiveCache } from "../share/live_cache.ts";
import type { ShareNeeds } from "../share/open_shared.ts";
import { lastStage, type SignedGraph, type SignedImage } from "../sign/sign.ts";
import type { StageWorker, WorkerNeeds } from "./stage_work.ts";
import type { BuildResult, BuildTimes, BuiltImage } from "../contract/results.ts";
import type { EngineEvent } from "../contract/events.ts";
import type { RunBuild } from "./run_build.ts";
import type { StageRecord, Store } from "../contract/store.ts";
import type { Elsewhere } from "../layers/elsewhere.ts";
import { Losses } from "../layers/losses.ts";
import { Ledger } from "./ledger.ts";
import { Stopwatch } from "./stopwatch.ts";
import type { BuildExtras, BuildNeeds, BuiltNeeds } from "./needs.ts";

/** Builds the selected images for the session's platform. */
export async function buildImages(
  session: BuildNeeds,
  patterns: readonly string[],
  options: BuildExtras = {},
): Promise<BuildResult> {
  observed(session.trees.prefetch());
  const repo = options.repo ?? session.options.repo;
  // What talks to the registry loads while git is asked.
  if (repo !== undefined) observed(session.registry(repo));
  const { emit, signal } = session.options;
  const { losses = new Losses() } = options;
  const run = () =>
    disposing(
      openMeans(session, options),
      emit,
      (means) => new ImageBuild(session, options, { ...means, losses }).run(patterns),
    );
  return await buildAgain(run, { times: AGAIN, emit, signal });
}

type Means = Pick<RunBuild, "worker" | "signal" | "stop">;

/** What one try of a build works with. */
function openMeans(
  session: BuildNeeds,
  { failFast = false, introspect }: BuildExtras,
): Means & AsyncDisposable {
  // The builder's helper starts, and modules load, while git and the registry are still being read.
  let opened: Promise<StageWorker> | undefined;
  const stop = failFast ? new AbortController() : undefined;
  const signal = stop ? AbortSignal.any([session.options.signal, stop.signal]) : session.options.signal;
  const worker = () => opened ??= openWorker(session, signal, introspect);
  let over = session.options.dryRun;
  observed(session.news.then(() => {
    if (over) return;
    observed(worker().then((opened) => opened.builder.warmUp()));
    observed(import("./run_build.ts"));
    observed(import("../layers/deliver_git.ts"));
  }));
  return {
    worker,
    signal,
    ...(stop && { stop }),
    async [Symbol.asyncDispose]() {
      over = true;
      await disposeAll([opened]);
    },
  };
}

async function openWorker(
  session: WorkerNeeds & Pick<ShareNeeds, "store">,
  signal: AbortSignal,
  shells: BuildExtras["introspect"],
): Promise<StageWorker> {
  const { StageWorker } = await import("./stage_work.ts");
  return new StageWorker(session, await session.store(), signal, shells);
}

/** The selected images from the store. @throws NOT_BUILT, checked for all of them first */
export async function builtImages(
  session: BuiltNeeds,
  nodes: readonly ImageNode[],
  options: { readonly elsewhere?: boolean } = {},
): Promise<readonly BuiltImage[]> {
  const graph = await session.sign(new Set(nodes.map((node) => node.key)));
  const store = await session.store();
  const tops = await finishedTops(session, graph, nodes, options);
  const { finishImage } = await import("./finish_image.ts");
  const records = nodes.map((node) =>
    requireBuilt(graph.image(node.key), tops, {
      title: imageTitle(node.rule.kind, node.rule.name),
      platform: session.options.platform,
    })
  );
  return await Promise.all(
    nodes.map((node, i) => finishImage(graph.image(node.key), records[i]!, store, { write: true })),
  );
}

/**
 * The highest stages in the store; images that are not finished there are taken from REPO and `--cache-from`, with
 * `unseen` without a look into them.
 */
export async function finishedTops(
  session: BuiltNeeds,
  signed: SignedGraph,
  nodes: readonly ImageNode[],
  { elsewhere = false, ...how }: LateOptions & {
    /** Layers may be in some repository, and stay there. */
    readonly elsewhere?: boolean;
  } = {},
): Promise<CachedTops> {
  const tops = await findTops(signed, await session.store(), () => elsewhere);
  const images = nodes.map(({ key }) => signed.image(key));
  if (isFresh(images, tops)) return tops;
  const cache = await stageSources(session, signed, images, { elsewhere });
  return cache ? await cache.takeFinished(signed, tops, nodes, how) : tops;
}

/** Where stages of images are taken from without a build: REPO, else the place that has them, and `--cache-from`. */
export async function stageSources(
  session: BuiltNeeds,
  signed: SignedGraph,
  images: readonly SignedImage[],
  { elsewhere = false }: { readonly elsewhere?: boolean } = {},
): Promise<LiveCache | undefined> {
  const { repo: option, cacheFrom } = session.options;
  const place = await placeOf(session, images);
  const open = async (repo: string | undefined) => {
    if (repo === undefined && cacheFrom.length === 0) return undefined;
    const { openLiveCache } = await import("../share/open_shared.ts");
    const apart = () => Promise.resolve(elsewhere);
    return await openLiveCache(session, signed, { repo, readOnly: true, apart });
  };
  try {
    return await open(session.repo ?? place);
  } catch (error) {
    // What images are called in a Docker engine need not be the name of a REPO.
    const isCalled = error instanceof EngineError && error.code === "REPO_INVALID" && session.repo !== option;
    if (!isCalled) throw error;
    return await open(place);
  }
}

/** The repository that has what was built here and is not here, if it is but one. */
async function placeOf(
  session: Pick<BuiltNeeds, "store">,
  images: readonly SignedImage[],
): Promise<string | undefined> {
  const { stages } = await session.store();
  const records = await Promise.all(images.map((image) => stages.record(lastStage(image).signature)));
  const [place, another] = new Set(records.flatMap((record) => record?.elsewhere?.repository ?? []));
  return another === undefined ? place : undefined;
}

/** How often a build begins again because somebody took away what it stands on. */
const AGAIN = 2;

/** How many of the slowest stages are named. */
const SLOWEST = 5;

class ImageBuild {
  readonly #watch = new Stopwatch();
  readonly #prepared = this.#watch.begin("preparing");
  readonly #ledger = new Ledger();

  constructor(
    readonly session: BuildNeeds,
    readonly options: BuildExtras,
    readonly means: Means & {
      /** What repositories turned out to lack, in this try or the one before. */
      readonly losses: Losses;
    },
  ) {}

  async run(patterns: readonly string[]): Promise<BuildResult> {
    const { session } = this;
    if (Object.keys(session.options.secrets).length > 0) {
      const { checkSecretOptions } = await import("./secrets.ts");
      checkSecretOptions(session.options.secrets, (await session.config()).images);
    }
    const nodes = await session.select(patterns);
    const keys = new Set(nodes.map((node) => node.key));
    const signed = await session.sign(keys, this.options.onBase);
    const store = await session.store();
    const local = await findTops(signed, store);
    // All there is, here and in the registry: this run relies on nothing that could go.
    const images = nodes.map((node) => signed.image(node.key));
    const { losses } = this.means;
    const done = !losses.any && isFresh(images, local) && await this.#isPublished(images);
    // Who looks into stages, or builds them anyway, needs the way to their layers.
    const looks = this.options.introspect !== undefined || (await session.hooks()).has("plan");
    const apart = done || looks || losses.any ? undefined : await this.#allApart(signed, images);
    if (apart) return await this.#build(nodes, keys, signed, apart, undefined);
    const cache = done ? undefined : await this.#cache(signed);
    if (!cache) return await this.#build(nodes, keys, signed, local, undefined);
    const guard = await cache.guard();
    try {
      const tops = await cache.take(signed, local, keys);
      const needed = neededImages(signed, tops, keys);
      const missing = cache.publishMissing(signed.images.filter(({ node }) => needed.has(node.key)), tops);
      const result = await this.#build(nodes, keys, signed, tops, cache, async () => {
        await missing;
        await cache.finish();
        await guard?.finish();
      });
      return result;
    } catch (error) {
      // What is finished goes on to the registry; why the build ended is the news.
      await cache.finish().catch(() => {});
      await guard?.abandon();
      throw await cache.explain(error);
    }
  }

  /** Whether REPO has the last stage of every image, by one look-up each; true when nothing is published. */
  async #isPublished(images: readonly SignedImage[]): Promise<boolean> {
    const { signal, dryRun, repoReadOnly } = this.session.options;
    const repo = this.options.repo ?? this.session.options.repo;
    if (repo === undefined || dryRun || repoReadOnly) return true;
    const main = (await this.session.registry(repo)).value.repository("");
    const tags = new Set(images.map((image) => stageTag(image.stages.at(-1)!.signature)));
    const found = await Promise.all([...tags].map((tag) => main.head(tag, signal)));
    return found.every((digest) => digest !== undefined);
  }

  /** The last stages of all images, if REPO has just what this machine knows of it; by one look-up each. */
  async #allApart(signed: SignedGraph, images: readonly SignedImage[]): Promise<CachedTops | undefined> {
    const { signal, dryRun } = this.session.options;
    const repo = this.options.repo ?? this.session.options.repo;
    if (repo === undefined || dryRun) return undefined;
    const known = async (image: SignedImage) =>
      (await (await this.session.store()).stages.record(lastStage(image).signature))?.elsewhere;
    const places = await Promise.all(images.map(known));
    if (places.every((place) => place === undefined)) return undefined;
    const main = (await this.session.registry(repo)).value.repository("");
    const tops = await findTops(signed, await this.session.store(), (name) => name === main.name);
    if (!isFresh(images, tops)) return undefined;
    const found = await Promise.all(
      images.map((image) => main.head(stageTag(lastStage(image).signature), signal)),
    );
    const same = found.every((digest, i) =>
      digest !== undefined && (places[i] === undefined || places[i].manifest === digest)
    );
    return same ? tops : undefined;
  }

  /** What is here can be sent while the rest is built. */
  #tellReused(images: readonly SignedImage[], tops: CachedTops): void {
    for (const image of images) {
      const top = tops.get(image.node.key);
      if (top && top.index < image.stages.length - 1) {
        this.options.onSaved?.(image, image.stages[top.index]!, top.record);
      }
    }
  }

  async #cache(signed: SignedGraph): Promise<LiveCache | undefined> {
    const { session, options } = this;
    const repo = options.repo ?? session.options.repo;
    if (session.options.dryRun || (repo === undefined && session.options.cacheFrom.length === 0)) {
      return undefined;
    }
    const { openLiveCache } = await import("../share/open_shared.ts");
    return await openLiveCache(session, signed, {
      repo,
      readOnly: session.options.repoReadOnly,
      ...(options.uploader && { uploader: options.uploader }),
      ...(options.onPublished && { onPublished: options.onPublished }),
      publishing: options.publishing,
      losses: this.means.losses,
      reader: async () => (await this.means.worker()).reader,
      // What commands stand on may stay where it is when they run elsewhere.
      apart: async () => await (await this.means.worker()).builder.isElsewhere().catch(() => false),
    });
  }

  async #build(
    nodes: readonly ImageNode[],
    keys: ReadonlySet<string>,
    signed: SignedGraph,
    tops: CachedTops,
    cache: LiveCache | undefined,
    shared: () => Promise<void> = async () => {},
  ): Promise<BuildResult> {
    const { session, options } = this;
    const inputs = await session.planInputs(options.repo ?? session.options.repo);
    const images = nodes.map((node) => signed.image(node.key));
    const fresh = isFresh(images, tops);
    const hooks = await session.hooks();

    let built: ReadonlyMap<string, number> = new Map();
    let records = images.map((image) => tops.get(image.node.key)?.record);
    let timesOf: (key: string) => BuildTimes = () => this.#watch.times;
    const watch = this.#watch;
    const ledger = this.#ledger;
    if (!fresh || options.introspect || hooks.has("plan")) {
      if (session.options.dryRun) {
        const { dryRun } = await import("./dry_run.ts");
        return { ...await dryRun(signed, keys, { session, inputs, options }), times: watch.times };
      }
      const { runBuild } = await import("./run_build.ts");
      this.#tellReused(images, tops);
      const done = await runBuild({
        ...this.means,
        session,
        signed,
        tops,
        keys,
        images,
        inputs,
        options,
        cache,
        watch,
        prepared: this.#prepared,
        ledger,
      });
      records = [...done.records];
      built = done.progress.builtByImage;
      timesOf = (key) => done.progress.timesOf(key);
    } else if (!cache && !hooks.has("built")) options.onFresh?.();
    const published = watch.begin("publishing");
    await shared();
    if (cache) await bringUnpublished(records, inputs.store, cache.shared.elsewhere);
    published();
    const { finishImage } = await import("./finish_image.ts");
    const reusedBy = (image: SignedImage) => image.stages.length - (built.get(image.node.key) ?? 0);
    const ready: BuiltImage[] = [];
    for (const [i, image] of images.entries()) {
      const done = await finishImage(image, records[i]!, inputs.store, { write: !fresh });
      ready.push(done);
      const { publishingMs: _, ...times } = timesOf(image.node.key);
      session.options.emit({
        type: "image.ready",
        image: done.name,
        kind: done.kind,
        digest: done.digest,
        signature: done.signature,
        built: built.get(image.node.key) ?? 0,
        reused: reusedBy(image),
        ...times,
      });
    }
    let stages: BuildResult["stages"] = [];
    if (options.stages || ledger.planned.length > 0) {
      const needed = neededImages(signed, tops, keys);
      const { stageRows } = await import("./stage_rows.ts");
      stages = await stageRows(signed.images.filter(({ node }) => needed.has(node.key)), {
        store: inputs.store,
        platform: inputs.platform,
        ledger,
        taken: cache?.shared.taker.taken ?? new Map(),
      });
    }
    this.#prepared();
    watch.stop();
    const result: BuildResult = {
      project: inputs.project,
      platform: inputs.platform,
      images: ready,
      stagesBuilt: [...built.values()].reduce((a, b) => a + b, 0),
      stagesReused: images.reduce((sum, image) => sum + reusedBy(image), 0),
      stages,
      times: watch.times,
    };
    session.options.emit(summaryOf(result));
    await hooks.parallel("built", result);
    return result;
  }
}

function summaryOf({ images, stagesBuilt, stagesReused, stages, times }: BuildResult): EngineEvent {
  const built = stages.flatMap(({ image, kind, stage, times }) =>
    times ? [{ at: { image, kind, stage }, ms: times.ms }] : []
  );
  const slowest = built.sort((a, b) => b.ms - a.ms).slice(0, SLOWEST);
  return { type: "build.finished", images: images.length, stagesBuilt, stagesReused, ...times, slowest };
}

/** Brings the layers of stages that were made upon layers elsewhere and are nowhere by themselves. */
async function bringUnpublished(
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

/** Whether every image's last stage is in the store. */
function isFresh(images: readonly SignedImage[], tops: CachedTops): boolean {
  return images.every((image) => tops.get(image.node.key)?.index === image.stages.length - 1);
}
