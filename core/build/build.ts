import { observed } from "../../lib/pool.ts";
import { stageTag } from "../contract/labels.ts";
import type { BuildResult } from "../contract/results.ts";
import type { StageRecord } from "../contract/store.ts";
import { disposeAll, disposing } from "../hooks/dispose.ts";
import { Losses } from "../layers/losses.ts";
import { type CachedTops, findTops, neededImages, type PlanInputs } from "../plan/plan.ts";
import type { LiveCache } from "../share/live_cache.ts";
import type { ShareNeeds } from "../share/open_shared.ts";
import { lastStage, type SignedGraph, type SignedImage } from "../sign/sign.ts";
import { buildAgain } from "./build_again.ts";
import type { BuildProgress } from "./build_progress.ts";
import { isFresh } from "./built_images.ts";
import { Ledger } from "./ledger.ts";
import type { BuildExtras, BuildNeeds } from "./needs.ts";
import type { RunBuild } from "./run_build.ts";
import type { StageWorker, WorkerNeeds } from "./stage_work.ts";
import { Stopwatch } from "./stopwatch.ts";

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

/** How often a build begins again because somebody took away what it stands on. */
const AGAIN = 2;

/** What is to be built. */
interface Wanted {
  readonly signed: SignedGraph;
  /** The images, and their keys. */
  readonly images: readonly SignedImage[];
  readonly keys: ReadonlySet<string>;
}

/** One try of a build. */
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

  /** REPO to share stages through. */
  get #repo(): string | undefined {
    return this.options.repo ?? this.session.options.repo;
  }

  async run(patterns: readonly string[]): Promise<BuildResult> {
    const { session } = this;
    if (Object.keys(session.options.secrets).length > 0) {
      const { checkSecretOptions } = await import("./secrets.ts");
      checkSecretOptions(session.options.secrets, (await session.config()).images);
    }
    const keys = new Set((await session.select(patterns)).map(({ key }) => key));
    const signed = await session.sign(keys, this.options.onBase);
    const images = [...keys].map((key) => signed.image(key));
    if (this.options.introspect) {
      const { requireStages } = await import("./introspect.ts");
      requireStages(this.options.introspect, signed.images);
    }
    const wanted = { keys, signed, images };
    const local = await findTops(signed, await session.store());
    // All there is, here and in the registry: this run relies on nothing that could go.
    const { losses } = this.means;
    const done = !losses.any && isFresh(images, local) && await this.#isPublished(images);
    // Who looks into stages, or builds them anyway, needs the way to their layers.
    const looks = this.options.introspect !== undefined || (await session.hooks()).has("plan");
    const apart = done || looks || losses.any ? undefined : await this.#allApart(signed, images);
    if (apart) return await this.#build(wanted, apart);
    const cache = done ? undefined : await this.#cache(signed);
    if (!cache) return await this.#build(wanted, local);
    const guard = await cache.guard();
    try {
      const tops = await cache.take(signed, local, keys);
      const needed = neededImages(signed, tops, keys);
      const missing = cache.publishMissing(signed.images.filter(({ node }) => needed.has(node.key)), tops);
      return await this.#build(wanted, tops, cache, async () => {
        await missing;
        await cache.finish();
        await guard?.finish();
      });
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
    const repo = this.#repo;
    if (repo === undefined || dryRun || repoReadOnly) return true;
    const main = (await this.session.registry(repo)).value.repository("");
    const tags = new Set(images.map((image) => stageTag(image.stages.at(-1)!.signature)));
    const found = await Promise.all([...tags].map((tag) => main.head(tag, signal)));
    return found.every((digest) => digest !== undefined);
  }

  /** The last stages of all images, if REPO has just what this machine knows of it; by one look-up each. */
  async #allApart(signed: SignedGraph, images: readonly SignedImage[]): Promise<CachedTops | undefined> {
    const { signal, dryRun } = this.session.options;
    const repo = this.#repo;
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
    const repo = this.#repo;
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

  /** Makes what is missing, and says how the images are then; `shared` waits until others can take them. */
  async #build(
    wanted: Wanted,
    tops: CachedTops,
    cache?: LiveCache,
    shared: () => Promise<void> = async () => {},
  ): Promise<BuildResult> {
    const { session, options } = this;
    const { signed, keys, images } = wanted;
    const [watch, prepared, ledger] = [this.#watch, this.#prepared, this.#ledger];
    const inputs = await session.planInputs(this.#repo);
    const hooks = await session.hooks();
    const fresh = isFresh(images, tops);
    let records: readonly (StageRecord | undefined)[] = images.map(({ node }) => tops.get(node.key)?.record);
    let progress: BuildProgress | undefined;
    if (!fresh || options.introspect || hooks.has("plan")) {
      if (session.options.dryRun) {
        const { dryRun } = await import("./dry_run.ts");
        return { ...await dryRun(signed, keys, { session, inputs, options }), times: watch.times };
      }
      const { runBuild } = await import("./run_build.ts");
      this.#tellReused(images, tops);
      const run = { ...this.means, session, options, inputs, tops, cache, watch, prepared, ledger };
      ({ records, progress } = await runBuild({ ...wanted, ...run }));
    } else if (!cache && !hooks.has("built")) options.onFresh?.();
    const published = watch.begin("publishing");
    await shared();
    const { bringUnpublished, finishBuild } = await import("./finish_build.ts");
    if (cache) await bringUnpublished(records, inputs.store, cache.shared.elsewhere);
    published();
    const { emit } = session.options;
    const result = await finishBuild(images, records as readonly StageRecord[], {
      ...inputs,
      emit,
      write: !fresh,
      progress,
      watch,
      rows: () => this.#rows(wanted, tops, inputs, cache),
    });
    await hooks.parallel("built", result);
    return result;
  }

  /** What became of every stage, where somebody wants to know. */
  async #rows(
    { signed, keys }: Wanted,
    tops: CachedTops,
    { store, platform }: PlanInputs,
    cache: LiveCache | undefined,
  ): Promise<BuildResult["stages"]> {
    if (!this.options.stages && this.#ledger.planned.length === 0) return [];
    const needed = neededImages(signed, tops, keys);
    const { stageRows } = await import("./stage_rows.ts");
    return await stageRows(signed.images.filter(({ node }) => needed.has(node.key)), {
      store,
      platform,
      ledger: this.#ledger,
      taken: cache?.shared.taker.taken ?? new Map(),
    });
  }
}
