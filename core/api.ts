/** The engine as embedders and the command line see it. */
export type { ApplyEvent, ApplyReport, TagOutcome, TagResult } from "./cleanup/apply_model.ts";
export type { CleanupPlan, PlannedRemoval, RemovalGroup, TagKind } from "./cleanup/plan.ts";
export type { BuildOptions, Introspection } from "./build/introspect.ts";
export type { RestoredTag } from "./cleanup/restore.ts";
export type { StageMoves } from "./share/move_stages.ts";
export type { ConfigChange } from "./look/config_changes.ts";
export type { FileAspect, FileDifference, ImageDifference } from "./look/diff_images.ts";
export type { ImageFile, ImageListing, ListedLayer, LookedImage, WastedFile } from "./look/list_files.ts";
export type { ExplainedImage, ExplainedStage, Explanation } from "./plan/explain.ts";
export type { FactChange, FileChange } from "./contract/results.ts";
export type { RunOptions } from "./build/run_image.ts";
export type { LockResult } from "./config/lock_images.ts";
export type { LockedPlugin, PluginLockResult } from "./config/lock_plugins.ts";
export type { RenderedConfig, RenderedDocument } from "./config/render.ts";
export type { ExportResult } from "./export/packer.ts";
export type { PushOptions } from "./publish/outgoing.ts";
export type { DamagedTag, RepoCheck, RepoCheckOptions } from "./publish/check_repo.ts";
export type { MissingPart } from "./publish/repo_parts.ts";
export type { PublishedTags } from "./publish/list_published.ts";
export type { MachineCheck, MachineReport } from "./machine_check/report.ts";
export type { LoadedPlugin } from "./publish/loaded_plugins.ts";
export type { RegistryCard } from "./registry_check/check.ts";
export type { CleanupApply, CleanupRequest, RestoreReport } from "./cleanup/run.ts";
export type {
  LocalCleanupPlan,
  LocalCleanupReport,
  LocalCleanupRequest,
  LocalCleanupRow,
} from "./cleanup/local/model.ts";
export type { EarlyAnswer, EngineOptions, RegistryOptions, SecretReader } from "./settings/options.ts";
import type { ApplyReport } from "./cleanup/apply_model.ts";
import type { CleanupPlan } from "./cleanup/plan.ts";
import type { Config } from "./contract/config.ts";
import type { BuildResult, Plan, PublishReport } from "./contract/results.ts";
import type { TagFlag } from "./contract/tagging.ts";
import type { StoreReport } from "./contract/store.ts";
import type { BuildOptions } from "./build/introspect.ts";
import type { StageMoves } from "./share/move_stages.ts";
import type { ImageDifference } from "./look/diff_images.ts";
import type { ImageListing } from "./look/list_files.ts";
import type { Explanation } from "./plan/explain.ts";
import type { RunOptions } from "./build/run_image.ts";
import type { LockResult } from "./config/lock_images.ts";
import type { PluginLockResult } from "./config/lock_plugins.ts";
import type { RenderedConfig } from "./config/render.ts";
import type { PushOptions } from "./publish/outgoing.ts";
import type { RepoCheck, RepoCheckOptions } from "./publish/check_repo.ts";
import type { PublishedTags } from "./publish/list_published.ts";
import type { CleanupApply, CleanupRequest, RestoreReport } from "./cleanup/run.ts";
import type { LocalCleanupPlan, LocalCleanupReport, LocalCleanupRequest } from "./cleanup/local/model.ts";
import type { ExportResult } from "./export/packer.ts";
import type { MachineReport } from "./machine_check/report.ts";
import type { LoadedPlugin } from "./publish/loaded_plugins.ts";
import type { RegistryCard } from "./registry_check/check.ts";
import type { Signature } from "./contract/signature.ts";

/** What is begun before it is known what to ask for. */
export interface Prefetch {
  /** git is asked. @default true */
  readonly git?: boolean;
  /**
   * REPO of the next method, which is certain to ask its registry: a connection is opened, over which nothing is sent
   * before that method asks. None is opened to this machine, to hosts that need not have verified TLS and through proxies,
   * nor where somebody else may have a say in which registry is asked, and how: a dappfile with `repo` or `plugins`, or of
   * strangers, plugins of the engine's options, a kind of registry. What is wrong with REPO or its host is for that method
   * to tell.
   */
  readonly repo?: string;
}

/**
 * One look at a project: dappfile, commits and base images are read once, when they are first needed, and stay as they
 * were. Make another engine to see what changed since.
 *
 * What no compiler has looked at is checked: an argument, or a name in one, that a method does not take is a `TypeError`.
 *
 * Once the engine's signal is aborted, nothing starts, and what is under way fails with the signal's reason;
 * `applyCleanup` tells what it has done so far. Disposing of the engine stops what it still does, waits for that, and
 * lets go of all it opened.
 */
export interface Engine extends AsyncDisposable {
  /**
   * Asks git what is checked out, which every build, push and pull waits for, so that it answers while the caller still
   * finds out what to ask for. Nobody has to wait for it: what fails is told by them as well.
   *
   * @param ahead what else is begun
   * @throws GIT_FAILED, as they do
   */
  prefetch(ahead?: Prefetch): Promise<void>;
  /** The validated configuration. @throws CONFIG_NOT_FOUND, CONFIG_INVALID with every problem found */
  config(): Promise<Config>;
  /** The dappfile spelled out: no includes, defaults, templates and matrices. @throws CONFIG_NOT_FOUND, CONFIG_INVALID */
  renderConfig(): Promise<RenderedConfig>;
  /** Name of the project, with where it came from. */
  project(): Promise<{ readonly name: string; readonly from: "option" | "dappfile" | "git" | "directory" }>;
  /**
   * dimgs that match any of the glob patterns, in dappfile order; all when there are none. The stages are those that the
   * dappfile gives them: nothing is read from git or a registry. @throws DIMG_UNKNOWN
   */
  list(
    patterns?: readonly string[],
  ): Promise<readonly { readonly name: string; readonly stages: readonly string[] }[]>;
  /** What `build` would do; reads only. */
  plan(patterns?: readonly string[]): Promise<Plan>;
  /** Builds dimgs and what they need. @throws STAGE_FAILED and what a builder, source or store throws */
  build(patterns?: readonly string[], options?: BuildOptions): Promise<BuildResult>;
  /** Why stages differ from the nearest earlier build. Default: every stage of the selected dimg that changed. */
  explain(pattern?: string, stage?: string): Promise<Explanation>;
  /** The local cache name of a stage, whether or not it exists; the last stage by default. @throws STAGE_UNKNOWN */
  stageImage(pattern?: string, stage?: string): Promise<StageImage>;
  /**
   * What is in an image, which layer and stage brought it, and what layers hold for nothing. An image is a dimg or
   * `DIMG/STAGE` as it is built now, the signature of a stage, `oci:DIR[:TAG]`, `archive:FILE[:NAME]`, or the name of one
   * in a registry, which is not taken into the store; the only dimg by default.
   *
   * @throws NOT_BUILT, DIMG_UNKNOWN, STAGE_UNKNOWN, SOURCE_NOT_FOUND, SOURCE_INVALID, LAYER_INVALID, REGISTRY_FAILED
   */
  files(image?: string): Promise<ImageListing>;
  /**
   * What differs from one image to another, both named as for `files`. A single one is a dimg or `DIMG/STAGE`: it is
   * compared with what was built of it before.
   *
   * @throws as `files`; NOT_BUILT when nothing was built before
   */
  diff(image?: string, other?: string): Promise<ImageDifference>;
  /** Runs a command in a built image and returns its exit code. @throws NOT_BUILT */
  run(options: RunOptions): Promise<number>;
  /** Writes built images somewhere else. @throws NOT_BUILT, EXPORT_FAILED */
  export(patterns: readonly string[], destination: string): Promise<ExportResult>;
  /**
   * Publishes built images under tags. Everything is checked for all of them before the first byte moves.
   *
   * @throws NOT_BUILT, TAG_INVALID, TAG_CONFLICT, TAG_SOURCE_MISSING, REPO_INVALID, REGISTRY_DENIED, REGISTRY_FAILED
   */
  push(patterns: readonly string[], options?: PushOptions): Promise<PublishReport>;
  /** Like `push`, into the local Docker engine, or into an OCI image layout when REPO is `oci:DIR`. */
  tag(patterns: readonly string[], options?: PushOptions): Promise<PublishReport>;
  /** Publishes every stage of the current state that is in the store. */
  pushStages(patterns?: readonly string[], options?: { readonly repo?: string }): Promise<StageMoves>;
  /** Takes the highest stage there is of each image, or with `all` every one. Finding nothing is no error. */
  pullStages(
    patterns?: readonly string[],
    options?: { readonly repo?: string; readonly all?: boolean },
  ): Promise<StageMoves>;
  /** What the project has published in REPO, by dimg; dimgs that the dappfile no longer has come last. */
  published(patterns?: readonly string[], options?: { readonly repo?: string }): Promise<PublishedTags>;
  /**
   * Looks whether all that the project's tags and stages in REPO stand on can really be read: manifests, configurations,
   * layers. With `repair` sends again what the store has, and takes stages away that stay damaged and that nothing in
   * REPO stands on.
   *
   * @throws REGISTRY_DENIED, REGISTRY_FAILED when the registry does not tell
   */
  checkRepo(
    patterns?: readonly string[],
    options?: RepoCheckOptions & { readonly repo?: string },
  ): Promise<RepoCheck>;
  /** Tries in a scratch repository what the registry of REPO can do, and removes its tags again. Needs no dappfile. */
  checkRegistry(options?: { readonly repo?: string }): Promise<RegistryCard>;
  /**
   * Looks at what builds need of this machine: git, store, builders, logins, REPO. What does not work is a row and no
   * error. Needs no dappfile.
   */
  checkMachine(): Promise<MachineReport>;
  /**
   * Decides what a cleanup of REPO would remove, and why everything else stays. Changes nothing.
   *
   * @throws what a policy throws: then nothing may be deleted; REGISTRY_DENIED, REGISTRY_FAILED, GIT_FAILED
   */
  planCleanup(request?: CleanupRequest): Promise<CleanupPlan>;
  /** Does what a plan says, looking at everything once more. @throws USAGE when the plan is for another REPO */
  applyCleanup(plan: CleanupPlan, options?: CleanupApply): Promise<ApplyReport>;
  /** Puts tags back that a cleanup from this machine deleted, as long as the registry still has their blobs. */
  restore(tags?: readonly string[], options?: { readonly repo?: string }): Promise<RestoreReport>;
  /** Decides what a cleanup of this machine would remove. Changes nothing. */
  planLocalCleanup(request: LocalCleanupRequest): Promise<LocalCleanupPlan>;
  /** Does what a plan says; what a running build has come to use meanwhile stays. */
  applyLocalCleanup(plan: LocalCleanupPlan): Promise<LocalCleanupReport>;
  /** Flags that tag schemes add, those of the dappfile's plugins included. */
  tagFlags(): Promise<readonly (TagFlag & { readonly plugin: string })[]>;
  /** The plugins of the project, in the order in which they are asked, cleanup policies last. */
  plugins(): Promise<readonly LoadedPlugin[]>;
  /** Pins base images by digest in dappfile.lock. */
  lock(options?: { readonly update?: boolean }): Promise<LockResult>;
  /** Accepts the plugins that the dappfile names: writes into dappfile.lock what they are made of and may do. */
  lockPlugins(options?: { readonly update?: boolean }): Promise<PluginLockResult>;
  /** Looks for damage in the local store, and mends it with `repair`. */
  checkStore(options?: { readonly repair?: boolean }): Promise<StoreReport>;
}

/** The local cache name of a stage. */
export interface StageImage {
  /** Name of the dimg. */
  readonly image: string;
  /** Name of the stage, as `plan` prints it. */
  readonly stage: string;
  /** Signature of the stage. */
  readonly signature: Signature;
  /** `dimgstage-<project>:<signature>` */
  readonly name: string;
  /** Whether the stage is in the store. */
  readonly present: boolean;
}
