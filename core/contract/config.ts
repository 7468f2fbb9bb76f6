/** What a validated dappfile says: plain data, no defaults left to fill in, safe to print as JSON. */

/** User stages: those whose commands the dappfile gives. `buildArtifact` belongs to artifacts only. */
export const userStages = ["beforeInstall", "install", "beforeSetup", "setup", "buildArtifact"] as const;
export type UserStage = typeof userStages[number];

/** Stages that may name the git files their commands read. */
export type GitStage = Exclude<UserStage, "beforeInstall">;

export interface Config {
  /** The dappfile, relative to the project directory. */
  readonly file: string;
  readonly project: ProjectSection;
  /** dimgs and artifacts in document order; a list of dimg names gives one rule for each. */
  readonly images: readonly ImageRule[];
  /** Accepted, but worth saying: one sentence each. */
  readonly warnings: readonly string[];
}

export interface ProjectSection {
  readonly name?: string;
  readonly repo?: string;
  readonly plugins: readonly PluginUse[];
  readonly cleanup?: CleanupSection;
}

/** What cleanup keeps. Absent parts mean the defaults. */
export interface CleanupSection {
  /** Policies, each a plugin with options. */
  readonly keep: readonly PluginUse[];
  /** Whether default policies that `keep` does not name count as well. */
  readonly defaults: boolean;
  /** Milliseconds during which a new stage stays whatever needs it. */
  readonly stageGraceMs?: number;
  /** Bytes that stages may take beside what images take. */
  readonly stageBudgetBytes?: number;
}

export interface PluginUse {
  /** A path (starts with `.` or `/`), `npm:`, `jsr:`, `https:` specifier, or a built-in name. */
  readonly use: string;
  readonly options?: unknown;
  readonly line: number;
}

export interface ImageRule {
  readonly kind: "dimg" | "artifact";
  /** "" is the nameless dimg. */
  readonly name: string;
  /** 1-based YAML document and the line it starts at. */
  readonly document: number;
  readonly line: number;
  readonly base: BaseRule;
  readonly fromCacheVersion?: string;
  readonly git: readonly GitEntry[];
  readonly shell: Readonly<Partial<Record<UserStage, ShellStage>>>;
  readonly docker?: DockerInstructions;
  readonly mounts: readonly MountRule[];
  readonly secrets: readonly SecretRule[];
  /** Agents for ssh keys that commands may use. */
  readonly ssh: readonly "default"[];
  readonly imports: readonly ImportRule[];
  /** One layer for each shell command instead of one for each stage. */
  readonly asLayers: boolean;
}

export type BaseRule =
  | { readonly kind: "scratch" }
  /** `oci:DIR:TAG`, `archive:FILE`, or a registry reference, as written. */
  | { readonly kind: "image"; readonly name: string }
  | { readonly kind: "dimg" | "artifact"; readonly name: string };

export interface GitEntry {
  /** Absent: the project's own repository. */
  readonly remote?: {
    readonly url: string;
    readonly ref:
      | { readonly kind: "branch" | "tag" | "commit"; readonly value: string }
      | { readonly kind: "head" };
  };
  /** Absolute path in the repository (below the project directory for the local one), no trailing slash, "/" for all. */
  readonly add: string;
  /** Absolute path in the image, no trailing slash. */
  readonly to: string;
  readonly includePaths: readonly string[];
  readonly excludePaths: readonly string[];
  /** Name or number. */
  readonly owner?: string;
  readonly group?: string;
  readonly stageDependencies: Readonly<Partial<Record<GitStage, readonly string[]>>>;
  /** The whole tree is delivered at the first git stage instead of the declared files only. */
  readonly visibleAll: boolean;
  /** Line of the entry in the dappfile. */
  readonly line: number;
}

export interface ShellStage {
  readonly commands: readonly string[];
  /** `cacheVersion` and `<stage>CacheVersion`; either makes the stage exist even without commands. */
  readonly cacheVersion?: string;
  readonly stageCacheVersion?: string;
}

/**
 * Instructions as the dappfile says them, normalised. Variables of the image may stand in all values but those of
 * commands, ONBUILD and HEALTHCHECK.
 */
export interface DockerInstructions {
  /** A list is run as it is, a text by the image's shell. */
  readonly CMD?: string | readonly string[];
  readonly ENTRYPOINT?: string | readonly string[];
  readonly ENV?: Readonly<Record<string, string>>;
  readonly LABEL?: Readonly<Record<string, string>>;
  /** "8080" is "8080/tcp", "7000-7002" is "7000-7002/tcp". */
  readonly EXPOSE?: readonly string[];
  readonly VOLUME?: readonly string[];
  readonly ONBUILD?: readonly string[];
  readonly WORKDIR?: string;
  readonly USER?: string;
  readonly STOPSIGNAL?: string;
  readonly HEALTHCHECK?: HealthcheckRule;
}

/** image config `Healthcheck`; durations in nanoseconds as Docker stores them. */
export interface HealthcheckRule {
  readonly Test: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

export type MountRule =
  /** Line of the entry in the dappfile. */
  & { readonly to: string; readonly line: number }
  & ({ readonly from: "tmp_dir" | "build_dir" } | { readonly from: "path"; readonly path: string });

/** Where a secret comes from: a variable of dapp's environment, or a file. */
export type SecretSource =
  | { readonly env: string }
  /** Absolute, relative to the project directory, or starting with `~/`. */
  | { readonly file: string };

/** A value that commands see and nothing else does. */
export interface SecretRule {
  readonly id: string;
  readonly source: SecretSource;
  /** Where commands find it as a file, absolute; absent when they see it as a variable only. */
  readonly target?: string;
  /** Variable in which commands find it. */
  readonly as?: string;
  /** Part of the signature, as the value is not: changing it builds again. */
  readonly version?: string;
  /** Line of the entry in the dappfile. */
  readonly line: number;
}

export interface ImportRule {
  readonly artifact: string;
  readonly add: string;
  readonly to: string;
  readonly before?: "install" | "setup";
  /** Exactly one of `before` and `after` is present. */
  readonly after?: "install" | "setup";
  readonly includePaths: readonly string[];
  readonly excludePaths: readonly string[];
  readonly owner?: string;
  readonly group?: string;
  readonly line: number;
}
