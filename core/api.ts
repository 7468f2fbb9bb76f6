/** The engine as embedders and the command line see it. */
export type { ApplyEvent, ApplyReport, TagOutcome, TagResult } from "./cleanup/apply_model.ts";
export type { CleanupPlan, PlannedRemoval, RemovalGroup, TagKind } from "./cleanup/plan_model.ts";
export type { BuildOptions, Introspection } from "./build/introspect.ts";
export type { RestoredTag } from "./cleanup/restore.ts";
import type { ApplyEvent, ApplyReport } from "./cleanup/apply_model.ts";
import type { CleanupPlan } from "./cleanup/plan_model.ts";
import type { RestoredTag } from "./cleanup/restore.ts";
import type { Config } from "./contract/config.ts";
import type { Digest, Signature } from "./contract/digest.ts";
import type { EventSink } from "./contract/events.ts";
import type { BuildResult, FactChange, MovedStage, Plan, PublishReport } from "./contract/results.ts";
import type { RegistryCapabilities } from "./contract/registry.ts";
import type { TagFlag, TagWish } from "./contract/tagging.ts";
import type { Selection } from "./contract/plugin.ts";
import type { StoreReport } from "./contract/store.ts";
import type { LayerCompression } from "./contract/builder.ts";
import type { BuildOptions, Introspection } from "./build/introspect.ts";

export interface EngineOptions {
  /** Project directory. @default the current directory */
  readonly dir?: string;
  /** Dappfile, relative to the project directory. @default dappfile.yaml or dappfile.yml */
  readonly config?: string;
  /** Environment. @default that of the process */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Directory of the local store. @default $DAPP_HOME, else $XDG_DATA_HOME/dapp, else ~/.local/share/dapp */
  readonly home?: string;
  /** Project name, overriding the dappfile and git. */
  readonly name?: string;
  /**
   * `os/architecture[/variant]`; several, separated by commas, are built one after another and published as an index.
   * @default linux and this machine's architecture
   */
  readonly platform?: string;
  /** Stages that may be built at once. @default number of processors */
  readonly parallel?: number;
  /** Network of stage commands. @default "host" */
  readonly network?: "host" | "none";
  /** Name of the builder to use; undefined = whichever plugin claims the stage. */
  readonly builder?: string;
  /** Include uncommitted changes of the project's repository. @default false */
  readonly dev?: boolean;
  /** How long to wait for another process that builds the same stage. @default 24 hours */
  readonly lockTimeoutMs?: number;
  /** Say what would happen and change nothing. @default false */
  readonly dryRun?: boolean;
  /** @default gzip level 3 */
  readonly compression?: LayerCompression;
  /**
   * Where stages and images are kept for everybody: `host[:port]/path` or `oci:DIR`. With it, builds take stages from
   * there and put theirs there. Commands that need a REPO use the dappfile's `repo:` when there is none.
   */
  readonly repo?: string;
  /** Only take stages from `repo`. @default false */
  readonly repoReadOnly?: boolean;
  /** More places to take stages from, asked after `repo`. */
  readonly cacheFrom?: readonly string[];
  readonly registry?: RegistryOptions;
  /** Plugins beside the built-in ones and those in the dappfile; asked first. */
  readonly plugins?: readonly Selection[];
  readonly onEvent?: EventSink;
  /** Stops the work: running commands are ended, mounts and temporary files removed. */
  readonly signal?: AbortSignal;
}

/** How registries are reached and used. */
export interface RegistryOptions {
  /** Kind of the registry, when it cannot be told from its name: `oci`, `docker-hub`, `gitlab`, `harbor`, ... */
  readonly kind?: string;
  /** For the host of REPO alone; both or neither. */
  readonly username?: string;
  readonly password?: string;
  /** Hosts (with port) that may be asked without verified TLS, by plain http if need be. */
  readonly insecure?: readonly string[];
  /** `nested`: REPO/dimg:tag; `flat`: REPO:dimg-tag. @default what the registry can do */
  readonly naming?: "nested" | "flat";
}

/**
 * One look at a project: dappfile, commits and base images are read once, when they are first needed, and stay as they
 * were. Make another engine to see what changed since.
 */
export interface Engine extends AsyncDisposable {
  /** The validated configuration. @throws CONFIG_NOT_FOUND, CONFIG_INVALID with every problem found */
  config(): Promise<Config>;
  /** Name of the project, with where it came from. */
  project(): Promise<{ readonly name: string; readonly from: "option" | "dappfile" | "git" | "directory" }>;
  /** dimgs that match any of the glob patterns, in dappfile order; all when there are none. @throws DIMG_UNKNOWN */
  list(
    patterns?: readonly string[],
  ): Promise<readonly { readonly name: string; readonly stages: readonly string[] }[]>;
  /** What `build` would do; reads only. */
  plan(patterns?: readonly string[]): Promise<Plan>;
  build(patterns?: readonly string[], options?: BuildOptions): Promise<BuildResult>;
  /** Why stages differ from the nearest earlier build. Default: every stage of the selected dimg that changed. */
  explain(pattern?: string, stage?: string): Promise<Explanation>;
  /** The local cache name of a stage, whether or not it exists; the last stage by default. @throws STAGE_UNKNOWN */
  stageImage(pattern?: string, stage?: string): Promise<StageImage>;
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
  /** Tries in a scratch repository what the registry of REPO can do, and removes its tags again. Needs no dappfile. */
  checkRegistry(options?: { readonly repo?: string }): Promise<RegistryCard>;
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
  /** Pins base images by digest in dappfile.lock. */
  lock(options?: { readonly update?: boolean }): Promise<LockResult>;
  checkStore(options?: { readonly repair?: boolean }): Promise<StoreReport>;
}

export interface PushOptions {
  /** @default `repo` of the engine, else of the dappfile */
  readonly repo?: string;
  /** @default one: `{ flag: "tag-plain", value: "latest" }` */
  readonly tags?: readonly TagWish[];
  /** Publish the stages first. @default false */
  readonly withStages?: boolean;
  /** One dimg, under REPO:TAG whatever its name (`spush`). @default false */
  readonly single?: boolean;
  /** Build first; stages go up while later ones are built (`bp`). @default false */
  readonly build?: boolean;
  readonly introspect?: Introspection;
}

/** Stages moved between the store and REPO. */
export interface StageMoves {
  readonly repo: string;
  readonly dryRun: boolean;
  readonly stages: readonly MovedStage[];
}

export interface PublishedTags {
  readonly project: string;
  readonly repo: string;
  readonly images: readonly {
    readonly name: string;
    readonly tags: readonly {
      readonly reference: string;
      readonly tag: string;
      readonly digest: Digest;
      readonly scheme: string;
      readonly value: string;
      readonly commit?: string;
      /** RFC 3339, when it was published. */
      readonly publishedAt: string;
      /** Compressed bytes of all layers. */
      readonly size: number;
      readonly signature: string;
    }[];
  }[];
}

/** What a registry can do, as tried. */
export interface RegistryCard {
  readonly repo: string;
  /** Plugin and kind that serve it. */
  readonly plugin: string;
  readonly kind: string;
  readonly capabilities: RegistryCapabilities;
  /** In the order they were tried. */
  readonly probes: readonly {
    readonly name: string;
    readonly result: "yes" | "no" | "failed" | "skipped";
    /** One sentence. */
    readonly detail: string;
  }[];
}

/** What is to be cleaned up in REPO. */
export interface CleanupRequest {
  /** @default `repo` of the engine, else of the dappfile */
  readonly repo?: string;
  /** dimgs whose images may go, by glob patterns, also such as the dappfile no longer has. @default all */
  readonly patterns?: readonly string[];
  /** Whether images may go. @default true */
  readonly images?: boolean;
  /** `unneeded`: stages that no image needs; `all`: every one. @default "none" */
  readonly stages?: "none" | "unneeded" | "all";
  /** Ask no policy: everything of the project goes (`flush`). @default false */
  readonly flush?: boolean;
  /** Do not ask Kubernetes what it runs. @default false */
  readonly withoutKube?: boolean;
  /** Stages that the old tool left behind: all of them, or those of commits that no longer exist. */
  readonly legacy?: "all" | "lost commits";
}

export interface CleanupApply {
  readonly onEvent?: (event: ApplyEvent) => void;
}

export interface RestoreReport {
  readonly repo: string;
  readonly dryRun: boolean;
  readonly tags: readonly RestoredTag[];
}

/** What is to be cleaned up on this machine. */
export type LocalCleanupRequest =
  /** `dimg cleanup`: leftovers of all projects: blobs nothing names, unpacked layers of stages that are gone, scratch. */
  | { readonly what: "leftovers" }
  /** `dimg stages cleanup local`: stages of the project, by the flags given. */
  | {
    readonly what: "stages";
    /** Stages that no image in this REPO needs, but young ones and those that a running build uses. */
    readonly improperRepoCache?: string;
    /** Go on although REPO holds no image of the project. @default false */
    readonly force?: boolean;
    /** Stages of another format of signatures. */
    readonly improperCacheVersion?: boolean;
  }
  /** `dimg flush local` and `dimg stages flush local`: what the project has here. */
  | {
    readonly what: "flush";
    readonly images: boolean;
    readonly stages: boolean;
    /** dimgs by glob patterns; stages that other dimgs need as well stay. @default all */
    readonly patterns?: readonly string[];
  }
  /** `dimg mrproper`: all projects. */
  | { readonly what: "everything"; readonly only?: "dev" | "cache-version" };

export interface LocalCleanupPlan {
  readonly home: string;
  readonly request: LocalCleanupRequest;
  readonly rows: readonly LocalCleanupRow[];
  /** Bytes on disk that will be free. */
  readonly freedBytes: number;
  readonly notes: readonly string[];
}

export interface LocalCleanupRow {
  readonly kind: "stage" | "docker image" | "directory";
  /** Signature, image name, path. */
  readonly name: string;
  readonly verdict: "keep" | "delete";
  /** One line. */
  readonly why: string;
  readonly project?: string;
  /** `image/stage` of a stage. */
  readonly title?: string;
  readonly bytes?: number;
}

export interface LocalCleanupReport {
  readonly removed: number;
  readonly freedBytes: number;
  /** What was to go and stayed, with the reason. */
  readonly spared: readonly { readonly name: string; readonly why: string }[];
}

export interface StageImage {
  readonly image: string;
  readonly stage: string;
  readonly signature: Signature;
  /** `dimgstage-<project>:<signature>` */
  readonly name: string;
  readonly present: boolean;
}

export interface RunOptions {
  /** dimg name or glob that matches one. */
  readonly pattern?: string;
  readonly stage?: string;
  /** Replaces the image's CMD; empty = the image's own CMD, or a shell when it has none. */
  readonly command: readonly string[];
  /** Replaces the image's ENTRYPOINT; "" removes it. */
  readonly entrypoint?: string;
  /** Added to the image's environment, `NAME=value` or `NAME` to pass this process's value on. */
  readonly env?: readonly string[];
  /** `source:target[:ro]`, absolute host directory or file. */
  readonly volumes?: readonly string[];
  readonly workdir?: string;
  readonly user?: string;
}

/** A diff of facts between a stage now and its nearest earlier build. */
export interface Explanation {
  readonly project: string;
  readonly images: readonly ExplainedImage[];
}

export interface ExplainedImage {
  readonly name: string;
  readonly kind: "dimg" | "artifact";
  readonly stages: readonly ExplainedStage[];
}

export interface ExplainedStage {
  readonly stage: string;
  readonly signature: Signature;
  readonly state: "cached" | "covered" | "build" | "unneeded";
  readonly hermetic: boolean;
  /** The earlier build it is compared with; undefined = this stage was never built here. */
  readonly comparedWith?: { readonly signature: Signature; readonly at: string; readonly commit?: string };
  /** True when only the stage before it changed. */
  readonly rippleOnly: boolean;
  readonly changes: readonly FactChange[];
  /** Later stages, of this and of other images, whose signatures change because of this one: `image/stage`. */
  readonly ripplesTo: readonly string[];
  /** All facts, for a single stage that was asked for by name. */
  readonly facts?: readonly { readonly key: string; readonly value: string }[];
}

export interface ExportResult {
  readonly destination: string;
  readonly images: readonly { readonly name: string; readonly reference: string; readonly digest: Digest }[];
}

export interface LockResult {
  /** Path of the lock file. */
  readonly file: string;
  readonly entries: readonly {
    readonly name: string;
    readonly digest: Digest;
    readonly change: "added" | "updated" | "unchanged" | "removed";
  }[];
}
