import type {
  ApplyReport,
  CleanupApply,
  CleanupPlan,
  CleanupRequest,
  Engine,
  EngineOptions,
  Explanation,
  ExportResult,
  LocalCleanupPlan,
  LocalCleanupReport,
  LocalCleanupRequest,
  LockResult,
  PublishedTags,
  PushOptions,
  RegistryCard,
  RestoreReport,
  RunOptions,
  StageImage,
  StageMoves,
} from "./api.ts";
import { buildImages, builtImages } from "./build/build.ts";
import type { Config } from "./contract/config.ts";
import { EngineError } from "./contract/errors.ts";
import { planBuild } from "./plan/plan.ts";
import { resolveOptions, splitPlatforms } from "./session/options.ts";
import type { BuildResult, Plan, PublishReport } from "./contract/results.ts";
import type { StoreReport } from "./contract/store.ts";
import { type Builtins, Session } from "./session/session.ts";
import { lastStage } from "./sign/sign.ts";
import type { BuildOptions } from "./build/introspect.ts";

/** Makes an engine with the given built-in plugins. Nothing is read or written until a method is called. */
export function createEngineWith(options: EngineOptions, builtins: Builtins): Engine {
  const [first, ...others] = splitPlatforms(options.platform).map((platform) =>
    new Session(
      resolveOptions({ ...options, ...(platform && { platform }) }),
      options.plugins ?? [],
      builtins,
    )
  );
  return new BuildEngine([first!, ...others]);
}

async function cleanups() {
  return await import("./cleanup/run.ts");
}

async function localCleanups() {
  return await import("./cleanup/local/run.ts");
}

class BuildEngine implements Engine {
  readonly session: Session;

  /** @param sessions one for each platform; the first answers what is the same for all */
  constructor(readonly sessions: readonly [Session, ...Session[]]) {
    this.session = sessions[0];
  }

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
    const results: BuildResult[] = [];
    for (const session of this.sessions) results.push(await buildImages(session, patterns, options));
    return {
      project: results[0]!.project,
      platform: results.map(({ platform }) => platform).join(","),
      images: results.flatMap(({ images }) => images),
      stagesBuilt: results.reduce((sum, { stagesBuilt }) => sum + stagesBuilt, 0),
      stagesReused: results.reduce((sum, { stagesReused }) => sum + stagesReused, 0),
    };
  }

  async explain(pattern?: string, stage?: string): Promise<Explanation> {
    const { session } = this;
    const nodes = await session.select(pattern === undefined ? [] : [pattern]);
    const keys = new Set(nodes.map((node) => node.key));
    const signed = await session.sign(keys);
    const inputs = await session.planInputs();
    const { explainBuild } = await import("./plan/explain.ts");
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
      const { requireStage } = await import("./plan/explain.ts");
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
    const { runImage } = await import("./build/run_image.ts");
    return await runImage(this.session, options);
  }

  async export(patterns: readonly string[], destination: string): Promise<ExportResult> {
    const { session } = this;
    const images = await builtImages(session, await session.select(patterns));
    const { exportBuilt } = await import("./export/built.ts");
    return await exportBuilt(session, images, destination);
  }

  async push(patterns: readonly string[], options: PushOptions = {}): Promise<PublishReport> {
    this.session.trees.prefetch();
    const { pushImages } = await import("./publish/push.ts");
    return await pushImages(this.sessions, patterns, options);
  }

  async tag(patterns: readonly string[], options: PushOptions = {}): Promise<PublishReport> {
    const { repoOf } = await import("./session/repos.ts");
    const repo = await repoOf(this.session, options.repo);
    if (repo.startsWith("oci:")) return await this.push(patterns, { ...options, repo });
    if (this.sessions.length > 1) {
      throw new EngineError("USAGE", "Cannot put images of several platforms into the local Docker engine", {
        fix: "Name one platform, or use oci:DIR in place of REPO",
      });
    }
    const { tagInDocker } = await import("./publish/tag_docker.ts");
    return await tagInDocker(this.session, repo, patterns, options);
  }

  pushStages(
    patterns: readonly string[] = [],
    options: { readonly repo?: string } = {},
  ): Promise<StageMoves> {
    return this.#move(patterns, { ...options, way: "push" });
  }

  pullStages(
    patterns: readonly string[] = [],
    options: { readonly repo?: string; readonly all?: boolean } = {},
  ): Promise<StageMoves> {
    return this.#move(patterns, { ...options, way: "pull" });
  }

  async #move(
    patterns: readonly string[],
    options: { readonly repo?: string; readonly all?: boolean; readonly way: "push" | "pull" },
  ): Promise<StageMoves> {
    const { moveStages } = await import("./share/move_stages.ts");
    return await moveStages(this.sessions, patterns, options);
  }

  async published(
    patterns: readonly string[] = [],
    options: { readonly repo?: string } = {},
  ): Promise<PublishedTags> {
    const { listPublished } = await import("./publish/published.ts");
    return await listPublished(this.session, patterns, options.repo);
  }

  async checkRegistry(options: { readonly repo?: string } = {}): Promise<RegistryCard> {
    const { checkRegistry } = await import("./registry_check/open.ts");
    return await checkRegistry(this.session, options.repo);
  }

  async planCleanup(request: CleanupRequest = {}): Promise<CleanupPlan> {
    return await (await cleanups()).planRegistryCleanup(this.session, request);
  }

  async applyCleanup(plan: CleanupPlan, options: CleanupApply = {}): Promise<ApplyReport> {
    return await (await cleanups()).applyRegistryCleanup(this.session, plan, options);
  }

  async restore(
    tags: readonly string[] = [],
    options: { readonly repo?: string } = {},
  ): Promise<RestoreReport> {
    return await (await cleanups()).restoreTags(this.session, tags, options.repo);
  }

  async planLocalCleanup(request: LocalCleanupRequest): Promise<LocalCleanupPlan> {
    return await (await localCleanups()).planLocalRun(this.session, request);
  }

  async applyLocalCleanup(plan: LocalCleanupPlan): Promise<LocalCleanupReport> {
    return await (await localCleanups()).applyLocalRun(this.session, plan);
  }

  async tagFlags() {
    const { collectTagFlags } = await import("./publish/tag_flags.ts");
    return await collectTagFlags(await this.session.hooksWith("tagging"));
  }

  async lock(options: { readonly update?: boolean } = {}): Promise<LockResult> {
    const { lockImages } = await import("./config/lock_images.ts");
    return await lockImages(this.session, options.update ?? false);
  }

  async checkStore(options: { readonly repair?: boolean } = {}): Promise<StoreReport> {
    return await (await this.session.storeOnly()).check({ repair: options.repair ?? false });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.sessions) await session[Symbol.asyncDispose]();
  }
}
