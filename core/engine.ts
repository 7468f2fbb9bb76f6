import type { ApplyReport, CleanupPlan, Engine, Prefetch, StageImage } from "./api.ts";
import { buildImages } from "./build/build.ts";
import { builtImages } from "./build/built_images.ts";
import { mayNameRegistry } from "./config/own_registry.ts";
import type { Config } from "./contract/config.ts";
import { EngineError, explained } from "./contract/errors.ts";
import { likelyStages } from "./sign/graph.ts";
import { planBuild } from "./plan/plan.ts";
import { type EngineOptions, requireOptions, resolveOptions, splitPlatforms } from "./settings/options.ts";
import type { BuildResult, Plan, PublishReport } from "./contract/results.ts";
import type { StoreReport } from "./contract/store.ts";
import { missingPermission } from "../lib/missing_permission.ts";
import { observed } from "../lib/pool.ts";
import { isFar } from "../lib/registry/far_host.ts";
import { disposeAll } from "./hooks/dispose.ts";
import { Life } from "./session/life.ts";
import { Session } from "./session/session.ts";
import { type Builtins, Workspace } from "./session/workspace.ts";
import type { BaseImage } from "./session/bases.ts";
import { maskedError } from "./session/masked_error.ts";
import { gitPlaces } from "./sign/git_places.ts";
import { lastStage } from "./sign/sign.ts";
import type { BuildOptions } from "./build/introspect.ts";
import type { StageMoves } from "./share/move_stages.ts";
import type { ImageDifference } from "./look/diff_images.ts";
import type { ImageListing } from "./look/list_files.ts";
import type { Explanation } from "./plan/explain.ts";
import type { RunOptions } from "./build/run_image.ts";
import type { LockResult } from "./config/lock_images.ts";
import type { PluginLockResult } from "./config/lock_plugins.ts";
import type { PushOptions } from "./publish/outgoing.ts";
import type { RepoCheck, RepoCheckOptions } from "./publish/check_repo.ts";
import type { PublishedTags } from "./publish/list_published.ts";
import type { CleanupApply, CleanupRequest, RestoreReport } from "./cleanup/run.ts";
import type { LocalCleanupPlan, LocalCleanupReport, LocalCleanupRequest } from "./cleanup/local/model.ts";
import type { ExportResult } from "./export/packer.ts";
import { addTimes, beforeBuilding, wholeMs } from "./build/stopwatch.ts";
import type { MachineReport } from "./machine_check/report.ts";
import type { LoadedPlugin } from "./publish/loaded_plugins.ts";
import type { RegistryCard } from "./registry_check/check.ts";
import { requireArguments } from "./method_arguments.ts";

/** Makes an engine with the given built-in plugins. Nothing is read or written until a method is called. */
export function createEngineWith(options: EngineOptions, builtins: Builtins): Engine {
  requireOptions(options);
  const life = new Life(options.signal);
  const [first, ...others] = splitPlatforms(options.platform).map((platform) => {
    const resolved = resolveOptions({ ...options, ...(platform && { platform }), signal: life.signal });
    return new Session(new Workspace(resolved, options.plugins ?? [], builtins), resolved.repo);
  });
  return living(new BuildEngine([first!, ...others]), life);
}

/** The method that tells what it did before it was stopped. */
const TELLS: keyof Engine = "applyCleanup";

/** The method that nobody has to wait for. */
const BESIDE: keyof Engine = "prefetch";

/**
 * The engine as long as it lives, with failures of files told as such, whichever method meets them. Once it is stopped,
 * nothing starts, and what is under way fails with the reason, whatever was made of it.
 */
function living(engine: Engine, life: Life): Engine {
  return new Proxy(engine, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== "function") return member;
      if (name === Symbol.asyncDispose) {
        return () => life.end(() => told(() => target[Symbol.asyncDispose]()));
      }
      const call = (...args: readonly unknown[]) =>
        told<unknown>(() => {
          requireArguments(name, args);
          return Reflect.apply(member, target, args);
        });
      return (...args: readonly unknown[]) => {
        const done = life.during(() => call(...args), { tells: name === TELLS });
        return name === BESIDE ? observed(done) : done;
      };
    },
  });
}

/** Does it, with failures of files and missing permissions told as such. */
async function told<T>(work: () => PromiseLike<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const missing = missingPermission(error);
    if (!missing) throw explained(error);
    throw new EngineError("PERMISSION_MISSING", missing.message, { fix: missing.fix, cause: error });
  }
}

async function cleanups() {
  return await import("./cleanup/run.ts");
}

class BuildEngine implements Engine {
  readonly session: Session;
  /** REPOs whose registries are reached, or were not to be. */
  readonly #reached = new Set<string>();

  /** @param sessions one for each platform; the first answers what is the same for all */
  constructor(readonly sessions: readonly [Session, ...Session[]]) {
    this.session = sessions[0];
  }

  async prefetch({ git = true, repo }: Prefetch = {}): Promise<void> {
    const reaching = repo === undefined ? undefined : this.#reach(repo);
    if (git) await this.session.trees.prefetch();
    await reaching;
  }

  /** Begins to reach the registry of a REPO that is asked for certain. Never fails. */
  async #reach(repo: string): Promise<void> {
    const { session } = this;
    if (session.options.untrusted || !isFar(repo) || this.#reached.has(repo)) return;
    this.#reached.add(repo);
    const loading = session.workspace.reach?.();
    // Who is asked, and by whom, is for the dappfile to say.
    const [reach, others] = await Promise.all([loading, mayNameRegistry(session.options)]);
    if (reach && !others) session.at(repo).reach(repo, reach);
  }

  config(): Promise<Config> {
    return this.session.config();
  }

  async renderConfig() {
    const loaded = await this.session.loaded();
    if (loaded.absent) throw loaded.absent;
    const { renderConfig } = await import("./config/render.ts");
    const { dir, env, untrusted } = this.session.options;
    return await renderConfig(loaded, { dir, env: untrusted ? {} : env });
  }

  project() {
    return this.session.project();
  }

  async list(patterns: readonly string[] = []) {
    const nodes = await this.session.select(patterns);
    return nodes.map(({ rule, stages }) => ({ name: rule.name, stages: likelyStages(rule, stages) }));
  }

  async plan(patterns: readonly string[] = []): Promise<Plan> {
    const { session } = this;
    const keys = new Set((await session.select(patterns)).map((node) => node.key));
    const signed = await session.sign(keys);
    const plan = await planBuild(signed, keys, await session.planInputs(session.repo));
    const { withPlaces } = await import("./build/places.ts");
    return await withPlaces(await (await session.hooks()).waterfall("plan", plan), signed, session);
  }

  async build(patterns: readonly string[] = [], options: BuildOptions = {}): Promise<BuildResult> {
    const results: BuildResult[] = [];
    const { repo } = this.session.options;
    if (repo !== undefined) observed(this.#reach(repo));
    const onBase = this.#tellUnpinned();
    const looked = await this.#requireBases(patterns);
    for (const session of this.sessions) {
      results.push(await this.#masked(buildImages(session, patterns, { ...options, onBase })));
    }
    return {
      project: results[0]!.project,
      platform: results.map(({ platform }) => platform).join(","),
      images: results.flatMap(({ images }) => images),
      stagesBuilt: results.reduce((sum, { stagesBuilt }) => sum + stagesBuilt, 0),
      stagesReused: results.reduce((sum, { stagesReused }) => sum + stagesReused, 0),
      stages: results.flatMap(({ stages }) => stages),
      times: results.map(({ times }) => times).reduce(addTimes, beforeBuilding(looked)),
    };
  }

  /** Every platform needs its base images, which shows before the first one is built. Gives the milliseconds it took. */
  async #requireBases(patterns: readonly string[]): Promise<number> {
    if (this.sessions.length === 1) return 0;
    const start = wholeMs();
    const keys = new Set((await this.session.select(patterns)).map(({ key }) => key));
    const all = await Promise.allSettled(this.sessions.map((session) => session.sign(keys)));
    const [first, ...others] = all.flatMap((each) => each.status === "rejected" ? [each.reason] : []);
    if (first === undefined) return wholeMs() - start;
    if (!(first instanceof EngineError)) throw first;
    const messages = [first, ...others].flatMap((error) =>
      error instanceof EngineError ? [error.message] : []
    );
    throw new EngineError(first.code, [...new Set(messages)].join("; "), { ...first.details, cause: first });
  }

  async explain(pattern?: string, stage?: string): Promise<Explanation> {
    const { session } = this;
    const nodes = await session.select(pattern === undefined ? [] : [pattern]);
    const keys = new Set(nodes.map((node) => node.key));
    const signed = await session.sign(keys);
    const inputs = await session.planInputs(session.repo);
    const { explainBuild } = await import("./plan/explain.ts");
    return await explainBuild(signed, await planBuild(signed, keys, inputs), { keys, stage }, {
      ...inputs,
      commits: (image, paths, since) => session.trees.commits(gitPlaces(image.node.rule), paths, since),
    });
  }

  async stageImage(pattern?: string, stage?: string): Promise<StageImage> {
    const { session } = this;
    const node = await session.selectOne(pattern);
    const signed = await session.sign(new Set([node.key]));
    const image = signed.image(node.key);
    let found = lastStage(image);
    if (stage !== undefined) {
      const { stageOf } = await import("./plan/explain.ts");
      found = stageOf(image, stage);
    }
    const { name } = await session.project();
    return {
      image: node.rule.name,
      stage: found.spec.name,
      signature: found.signature,
      name: `dimgstage-${name}:${found.signature}`,
      present: await (await session.store()).stages.whole(found.signature) !== undefined,
    };
  }

  async files(image?: string): Promise<ImageListing> {
    const { listFiles } = await import("./look/list_files.ts");
    return await listFiles(await this.#aboutNamed(), image);
  }

  async diff(image?: string, other?: string): Promise<ImageDifference> {
    const { diffImages } = await import("./look/diff_images.ts");
    return await diffImages(await this.#aboutNamed(), image, other);
  }

  async run(options: RunOptions): Promise<number> {
    const { runImage } = await import("./build/run_image.ts");
    return await runImage(await this.#aboutNamed(), options);
  }

  async export(patterns: readonly string[], destination: string): Promise<ExportResult> {
    const session = await this.#aboutNamed();
    const images = await builtImages(session, await session.select(patterns));
    const { exportBuilt } = await import("./export/built.ts");
    return await exportBuilt(session, images, destination);
  }

  async push(patterns: readonly string[], options: PushOptions = {}): Promise<PublishReport> {
    observed(this.session.trees.prefetch());
    const loading = observed(import("./publish/push.ts"));
    const { sessions, repo } = await this.#about(options.repo);
    const { pushImages } = await loading;
    const pushing = pushImages(sessions, patterns, { ...options, repo, onBase: this.#tellUnpinned() });
    return await this.#masked(pushing);
  }

  /** Says of each base image once that dappfile.lock does not have it. */
  #tellUnpinned(): (name: string, image: BaseImage) => void {
    const told = new Set<string>();
    return (name, { pin, unpinned }) => {
      if (!unpinned || told.has(name)) return;
      told.add(name);
      const text = `${name} is not pinned, it is ${pin!.slice(0, 19)}… now (pin it: dapp dimg lock)`;
      this.session.options.emit({ type: "note", level: "info", text });
    };
  }

  /**
   * The sessions of a command about REPO.
   *
   * @param asks whether the registry is asked for certain
   * @throws CONFIG_NOT_FOUND, REPO_INVALID
   */
  async #about(given: string | undefined, { asks = true } = {}) {
    const named = given ?? this.session.options.repo;
    if (asks && named !== undefined) observed(this.#reach(named));
    await this.session.config();
    const { session, repo } = await this.session.about(given);
    const others = this.sessions.slice(1).map((each) => each.at(repo));
    const sessions: readonly [Session, ...Session[]] = [session, ...others];
    return { session, sessions, repo };
  }

  /** The session about the REPO that options or the dappfile name, if they do. @throws REPO_INVALID */
  async #aboutNamed(): Promise<Session> {
    const { session } = this;
    const { project } = await session.workspace.prepared();
    const named = session.options.repo ?? project.repo;
    return named === undefined ? session : (await session.about(named)).session;
  }

  async tag(patterns: readonly string[], options: PushOptions = {}): Promise<PublishReport> {
    const { session, repo } = await this.#about(options.repo, { asks: false });
    if (repo.startsWith("oci:")) return await this.push(patterns, { ...options, repo });
    if (this.sessions.length > 1) {
      throw new EngineError("USAGE", "Cannot put images of several platforms into the local Docker engine", {
        fix: "Name one platform, or use oci:DIR in place of REPO",
      });
    }
    const { tagInDocker } = await import("./publish/tag_docker.ts");
    return await tagInDocker(session, repo, patterns, options);
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
    observed(this.session.trees.prefetch());
    const loading = observed(import("./share/move_stages.ts"));
    const { sessions, repo } = await this.#about(options.repo);
    const { moveStages } = await loading;
    return await moveStages(sessions, patterns, { ...options, repo });
  }

  async published(
    patterns: readonly string[] = [],
    options: { readonly repo?: string } = {},
  ): Promise<PublishedTags> {
    const { listPublished } = await import("./publish/list_published.ts");
    const { session, repo } = await this.#about(options.repo);
    return await listPublished(session, patterns, repo);
  }

  async checkRepo(
    patterns: readonly string[] = [],
    options: RepoCheckOptions & { readonly repo?: string } = {},
  ): Promise<RepoCheck> {
    const { checkRepo } = await import("./publish/check_repo.ts");
    const { session, sessions, repo } = await this.#about(options.repo);
    const found = await checkRepo(sessions, patterns, { ...options, repo });
    const { untrusted, dryRun } = session.options;
    if (!options.repair || untrusted || dryRun || found.damaged.length === 0) return found;
    const { removeDeadStages } = await import("./cleanup/dead_stages.ts");
    return await removeDeadStages(session, found, repo);
  }

  async checkRegistry(options: { readonly repo?: string } = {}): Promise<RegistryCard> {
    const { checkRegistry } = await import("./registry_check/open.ts");
    // Also where there is no dappfile.
    const { session, repo } = await this.session.about(options.repo);
    return await checkRegistry(await session.registry(repo), session.options.signal);
  }

  async plugins(): Promise<readonly LoadedPlugin[]> {
    const { workspace } = this.session;
    const { listLoaded } = await import("./publish/loaded_plugins.ts");
    await workspace.hooksWith("registry");
    const { listPolicies } = await import("./cleanup/project_policies.ts");
    return [
      ...await listLoaded(await workspace.hooksWith("tagging"), await workspace.uses()),
      ...await listPolicies(this.session),
    ];
  }

  async checkMachine(): Promise<MachineReport> {
    const { checkMachine } = await import("./machine_check/check.ts");
    const { session } = this;
    return await checkMachine({
      options: session.options,
      whatIsThere: () => session.whatIsThere(),
      head: () => session.trees.prefetch(),
      repo: async () => (await this.#aboutNamed()).repo,
      registry: (repo) => session.registry(repo),
    });
  }

  async planCleanup(request: CleanupRequest = {}): Promise<CleanupPlan> {
    if (this.session.options.untrusted) {
      throw new EngineError(
        "USAGE",
        "Cannot clean up with --untrusted: strangers do not say what a registry keeps",
        {
          fix: "Run it in a project of your own, without --untrusted",
        },
      );
    }
    const { session, repo } = await this.#about(request.repo);
    return await (await cleanups()).planRegistryCleanup(session, { ...request, repo });
  }

  async applyCleanup(plan: CleanupPlan, options: CleanupApply = {}): Promise<ApplyReport> {
    const { session } = await this.#about(plan.repo);
    return await (await cleanups()).applyRegistryCleanup(session, plan, options);
  }

  async restore(
    tags: readonly string[] = [],
    options: { readonly repo?: string } = {},
  ): Promise<RestoreReport> {
    const { session, repo } = await this.#about(options.repo, { asks: false });
    return await (await cleanups()).restoreTags(session, tags, repo);
  }

  async planLocalCleanup(request: LocalCleanupRequest): Promise<LocalCleanupPlan> {
    const { planLocalRun } = await import("./cleanup/local/run.ts");
    if (request.what !== "stages" || request.improperRepoCache === undefined) {
      return await planLocalRun(this.session, request);
    }
    const { session, repo } = await this.#about(request.improperRepoCache);
    return await planLocalRun(session, { ...request, improperRepoCache: repo });
  }

  async applyLocalCleanup(plan: LocalCleanupPlan): Promise<LocalCleanupReport> {
    const { applyLocalRun } = await import("./cleanup/local/apply.ts");
    return await applyLocalRun(this.session, plan);
  }

  async tagFlags() {
    const { collectTagFlags } = await import("./publish/tag_flags.ts");
    return await collectTagFlags(await this.session.hooksWith("tagging"));
  }

  async lock(options: { readonly update?: boolean } = {}): Promise<LockResult> {
    const { lockImages } = await import("./config/lock_images.ts");
    return await lockImages(this.session, options.update ?? false);
  }

  async lockPlugins(options: { readonly update?: boolean } = {}): Promise<PluginLockResult> {
    const { lockPlugins } = await import("./config/lock_plugins.ts");
    return await lockPlugins(this.session, options.update ?? false);
  }

  async checkStore(options: { readonly repair?: boolean } = {}): Promise<StoreReport> {
    return await (await this.session.storeOnly()).housekeeping.check({ repair: options.repair ?? false });
  }

  /** Errors of builds carry no values of secrets. */
  async #masked<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      let masked: unknown = error;
      for (const { options: { masker } } of this.sessions) masked = maskedError(masked, masker);
      throw masked;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return disposeAll([...this.sessions, ...this.sessions.map(({ workspace }) => workspace)]);
  }
}
