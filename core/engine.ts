import { load } from "../lib/load.ts";
import type {
  BuildOptions,
  Engine,
  EngineOptions,
  Explanation,
  ExportResult,
  LockResult,
  RunOptions,
  StageImage,
} from "./api.ts";
import type { Config } from "./config/model.ts";
import { type BuildResult, type BuiltImage, requireBuilt } from "./execute.ts";
import { type ImageNode, imageTitle } from "./graph.ts";
import { observed } from "./pool.ts";
import { resolveOptions } from "./options.ts";
import { findTops, type Plan, planBuild } from "./plan.ts";
import type { Plugin } from "./plugin.ts";
import type { StoreReport } from "./roles.ts";
import { Session } from "./session.ts";
import { lastStage, type SignedImage } from "./sign.ts";
import type { StageWorker } from "./stage_work.ts";

/** Makes an engine with the given built-in plugins. Nothing is read or written until a method is called. */
export function createEngineWith(options: EngineOptions, builtins: readonly Plugin[]): Engine {
  return new BuildEngine(new Session(resolveOptions(options), options.plugins ?? [], builtins));
}

class BuildEngine implements Engine {
  constructor(readonly session: Session) {}

  config(): Promise<Config> {
    return this.session.config();
  }

  project() {
    return this.session.project();
  }

  async list(patterns: readonly string[] = []) {
    const nodes = await this.session.select(patterns);
    return nodes.map(({ rule, stages }) => ({ name: rule.name, stages: stages.map((s) => s.name) }));
  }

  async plan(patterns: readonly string[] = []): Promise<Plan> {
    const { session } = this;
    session.saysUnpinned = true;
    const keys = new Set((await session.select(patterns)).map((node) => node.key));
    const plan = await planBuild(await session.sign(keys), keys, await session.planInputs());
    return await (await session.hooks()).waterfall("plan", plan);
  }

  async build(patterns: readonly string[] = [], options: BuildOptions = {}): Promise<BuildResult> {
    const start = performance.now();
    const { session } = this;
    session.saysUnpinned = true;
    session.trees.prefetch();
    // The builder's helper starts, and modules load, while git and the registry are still being read.
    let worker: Promise<StageWorker> | undefined;
    const open = () => worker ??= openWorker(session);
    if (!session.options.dryRun) {
      session.onNews = () => {
        observed(open().then((opened) => opened.warmUp()));
        observed(load<typeof import("./run_build.ts")>("./run_build.ts", import.meta.url));
        observed(load<typeof import("./deliver_git.ts")>("./deliver_git.ts", import.meta.url));
      };
    }
    try {
      return await this.#build(patterns, options, start, open);
    } finally {
      session.onNews = undefined;
      await (await worker?.catch(() => undefined))?.[Symbol.asyncDispose]();
    }
  }

  async #build(
    patterns: readonly string[],
    options: BuildOptions,
    start: number,
    worker: () => Promise<StageWorker>,
  ): Promise<BuildResult> {
    const { session } = this;
    const nodes = await session.select(patterns);
    const keys = new Set(nodes.map((node) => node.key));
    const signed = await session.sign(keys);
    const inputs = await session.planInputs();
    const tops = await findTops(signed, inputs.store);
    const images = nodes.map((node) => signed.image(node.key));
    const fresh = images.every((image) => tops.get(image.node.key)?.index === image.stages.length - 1);

    let built = new Map<string, number>();
    let records = images.map((image) => tops.get(image.node.key)?.record);
    if (!fresh || options.introspect || (await session.hooks()).has("plan")) {
      const { runBuild } = await load<typeof import("./run_build.ts")>("./run_build.ts", import.meta.url);
      const done = await runBuild({ session, worker, signed, tops, keys, images, inputs, options });
      if (session.options.dryRun) {
        return { project: inputs.project, platform: inputs.platform, images: [], ...done.counts };
      }
      records = [...done.records];
      built = done.builtByImage;
    }
    const { finishImage } = await load<typeof import("./finish_image.ts")>(
      "./finish_image.ts",
      import.meta.url,
    );
    const reusedBy = (image: SignedImage) => image.stages.length - (built.get(image.node.key) ?? 0);
    const ready: BuiltImage[] = [];
    for (const [i, image] of images.entries()) {
      const done = await finishImage(image, records[i]!, inputs.store, { write: !fresh });
      ready.push(done);
      const count = built.get(image.node.key) ?? 0;
      session.options.emit({
        type: "image.ready",
        image: done.name,
        kind: done.kind,
        digest: done.digest,
        signature: done.signature,
        built: count,
        reused: reusedBy(image),
        ms: Math.round(performance.now() - start),
      });
    }
    const stagesBuilt = [...built.values()].reduce((a, b) => a + b, 0);
    const result: BuildResult = {
      project: inputs.project,
      platform: inputs.platform,
      images: ready,
      stagesBuilt,
      stagesReused: images.reduce((sum, image) => sum + reusedBy(image), 0),
    };
    await (await session.hooks()).parallel("built", result);
    return result;
  }

  async explain(pattern?: string, stage?: string): Promise<Explanation> {
    const { session } = this;
    const nodes = await session.select(pattern === undefined ? [] : [pattern]);
    const keys = new Set(nodes.map((node) => node.key));
    const signed = await session.sign(keys);
    const inputs = await session.planInputs();
    const { explainBuild } = await load<typeof import("./explain.ts")>("./explain.ts", import.meta.url);
    return await explainBuild(signed, await planBuild(signed, keys, inputs), { keys, stage }, {
      ...inputs,
      commits: (image, paths, since) => session.trees.commits(image.node.rule.git, paths, since),
    });
  }

  async stageImage(pattern?: string, stage?: string): Promise<StageImage> {
    const { session } = this;
    const node = await session.selectOne(pattern);
    const signed = await session.sign(new Set([node.key]));
    const image = signed.image(node.key);
    let found = lastStage(image);
    if (stage !== undefined) {
      const { requireStage } = await load<typeof import("./explain.ts")>("./explain.ts", import.meta.url);
      requireStage({ images: [image], image: () => image }, stage);
      found = image.stages.find((s) => s.spec.name === stage)!;
    }
    const { name } = await session.project();
    return {
      image: node.rule.name,
      stage: found.spec.name,
      signature: found.signature,
      name: `dimgstage-${name}:${found.signature}`,
      present: await (await session.store()).stage(found.signature) !== undefined,
    };
  }

  async run(options: RunOptions): Promise<number> {
    const { runImage } = await load<typeof import("./run_image.ts")>("./run_image.ts", import.meta.url);
    return await runImage(this.session, options);
  }

  async export(patterns: readonly string[], destination: string): Promise<ExportResult> {
    const { session } = this;
    const nodes = await session.select(patterns);
    const images = await this.#built(nodes);
    const { exportBuilt } = await load<typeof import("./export_built.ts")>(
      "./export_built.ts",
      import.meta.url,
    );
    return await exportBuilt(session, images, destination);
  }

  /** The selected images from the store. @throws NOT_BUILT, checked for all of them first */
  async #built(nodes: readonly ImageNode[]): Promise<readonly BuiltImage[]> {
    const signed = await this.session.sign(new Set(nodes.map((node) => node.key)));
    const store = await this.session.store();
    const tops = await findTops(signed, store);
    const { finishImage } = await load<typeof import("./finish_image.ts")>(
      "./finish_image.ts",
      import.meta.url,
    );
    const records = nodes.map((node) =>
      requireBuilt(signed.image(node.key), tops, imageTitle(node.rule.kind, node.rule.name))
    );
    return await Promise.all(
      nodes.map((node, i) => finishImage(signed.image(node.key), records[i]!, store, { write: true })),
    );
  }

  async lock(options: { readonly update?: boolean } = {}): Promise<LockResult> {
    const { lockImages } = await load<typeof import("./lock_images.ts")>("./lock_images.ts", import.meta.url);
    return await lockImages(this.session, options.update ?? false);
  }

  async checkStore(options: { readonly repair?: boolean } = {}): Promise<StoreReport> {
    return await (await this.session.storeOnly()).check({ repair: options.repair ?? false });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.session[Symbol.asyncDispose]();
  }
}

async function openWorker(session: Session): Promise<StageWorker> {
  const { StageWorker } = await load<typeof import("./stage_work.ts")>("./stage_work.ts", import.meta.url);
  return new StageWorker(session, await session.store());
}
