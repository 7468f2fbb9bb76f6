/** What a validated dappfile says: plain data, no defaults left to fill in, safe to print as JSON. */
import type { StepNetwork } from "./builder.ts";

/** User stages: those whose commands the dappfile gives. `buildArtifact` belongs to artifacts only. */
export const userStages = ["beforeInstall", "install", "beforeSetup", "setup", "buildArtifact"] as const;
/** Name of a stage with commands of the user. */
export type UserStage = typeof userStages[number];

/** Stages that may name the git files their commands read. */
export type GitStage = Exclude<UserStage, "beforeInstall">;

/** A validated dappfile. */
export interface Config {
  /** The dappfile, relative to the project directory. */
  readonly file: string;
  /** The project document. */
  readonly project: ProjectSection;
  /** dimgs and artifacts in document order; a list of dimg names gives one rule for each. */
  readonly images: readonly ImageRule[];
  /** Accepted, but worth saying: one sentence each. */
  readonly warnings: readonly string[];
}

/** What the project document says. */
export interface ProjectSection {
  /** `project:` */
  readonly name?: string;
  /** `repo:` */
  readonly repo?: string;
  /** `plugins:`, in order. */
  readonly plugins: readonly PluginUse[];
  /** `cleanup:` */
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

/** A plugin that the dappfile names. */
export interface PluginUse {
  /** A path (starts with `.` or `/`), `npm:`, `jsr:`, `https:` specifier, or a built-in name. */
  readonly use: string;
  /** As written; the plugin checks them. */
  readonly options?: unknown;
  /** It runs in dapp itself, and may do all that dapp may. */
  readonly trusted?: true;
  /** How long one of its hooks may take. */
  readonly timeoutMs?: number;
  /** Line of the entry in the dappfile, 1-based. */
  readonly line: number;
  /** Line and column of everything below `options`, by its path there: `keep.last`. */
  readonly places?: Readonly<Record<string, readonly [number, number]>>;
}

/** What the dappfile says of one image. */
export interface ImageRule {
  /** A dimg, or an artifact. */
  readonly kind: "dimg" | "artifact";
  /** "" is the nameless dimg. */
  readonly name: string;
  /** 1-based YAML document and the line it starts at. */
  readonly document: number;
  /** Line that the document starts at, 1-based. */
  readonly line: number;
  /** The file of the document; absent: the dappfile. */
  readonly file?: string;
  /** What it stands on. */
  readonly base: BaseRule;
  /** `fromCacheVersion:`; changing it builds everything again. */
  readonly fromCacheVersion?: string;
  /** `git:`, in order. */
  readonly git: readonly GitEntry[];
  /** `gitPatches: false`: git stages are one full layer each, never an earlier one with a patch. */
  readonly gitPatches?: false;
  /** `shell:` by stage. */
  readonly shell: Readonly<Partial<Record<UserStage, ShellStage>>>;
  /** `docker:` */
  readonly docker?: DockerInstructions;
  /** `mount:` */
  readonly mounts: readonly MountRule[];
  /** `secrets:` */
  readonly secrets: readonly SecretRule[];
  /** Agents for ssh keys that commands may use. */
  readonly ssh: readonly "default"[];
  /** `import:`, in order. */
  readonly imports: readonly ImportRule[];
  /** `network:` of its commands. */
  readonly network?: StepNetwork;
  /** One layer for each shell command instead of one for each stage. */
  readonly asLayers: boolean;
}

/** What an image stands on. */
export type BaseRule =
  | { readonly kind: "scratch" }
  /** `oci:DIR:TAG`, `archive:FILE`, or a registry reference, as written. */
  | { readonly kind: "image"; readonly name: string }
  | { readonly kind: "dimg" | "artifact"; readonly name: string }
  | DockerfileRule;

/** An image that a Dockerfile describes. Paths are relative to the project directory, "" is that itself. */
export interface DockerfileRule {
  /** `dockerfile:` */
  readonly kind: "dockerfile";
  /** The Dockerfile. */
  readonly file: string;
  /** Directory with the files that it may copy. */
  readonly context: string;
  /** Stage of it to build; absent: the last one. */
  readonly target?: string;
  /** Build arguments. */
  readonly args: Readonly<Record<string, string>>;
}

/** Files of a repository that go into the image. */
export interface GitEntry {
  /** Absent: the project's own repository. */
  readonly remote?: {
    readonly url: string;
    readonly ref:
      | { readonly kind: "branch" | "tag"; readonly value: string }
      | { readonly kind: "commit"; readonly value: string }
      | { readonly kind: "head" };
  };
  /** Absolute path in the repository (below the project directory for the local one), no trailing slash, "/" for all. */
  readonly add: string;
  /** Absolute path in the image, no trailing slash. */
  readonly to: string;
  /** Patterns of files to take; empty means all. */
  readonly includePaths: readonly string[];
  /** Patterns of files to leave out. */
  readonly excludePaths: readonly string[];
  /** Name or number. */
  readonly owner?: string;
  /** Group of the files, by name or number. */
  readonly group?: string;
  /** Patterns of the files that each stage reads, by stage. */
  readonly stageDependencies: Readonly<Partial<Record<GitStage, readonly string[]>>>;
  /** The whole tree is delivered at the first git stage instead of the declared files only. */
  readonly visibleAll: boolean;
  /** Line of the entry. */
  readonly line: number;
  /** The file of the entry; absent: the dappfile. */
  readonly file?: string;
}

/** Commands of one stage. */
export interface ShellStage {
  /** Shell text, run one after another in one shell. */
  readonly commands: readonly string[];
  /** Where each of the commands stands; the file is absent for the dappfile. */
  readonly lines?: readonly { readonly line: number; readonly file?: string }[];
  /** `cacheVersion` and `<stage>CacheVersion`; either makes the stage exist even without commands. */
  readonly cacheVersion?: string;
  /** `<stage>CacheVersion` */
  readonly stageCacheVersion?: string;
}

/**
 * Instructions as the dappfile says them, normalised. Variables of the image may stand in all values but those of
 * commands, ONBUILD and HEALTHCHECK.
 */
export interface DockerInstructions {
  /** A list is run as it is, a text by the image's shell. */
  readonly CMD?: string | readonly string[];
  /** A list is run as it is, a text by the image's shell. */
  readonly ENTRYPOINT?: string | readonly string[];
  /** Variables, in the order they were written. */
  readonly ENV?: Readonly<Record<string, string>>;
  /** Labels by name. */
  readonly LABEL?: Readonly<Record<string, string>>;
  /** "8080" is "8080/tcp", "7000-7002" is "7000-7002/tcp". */
  readonly EXPOSE?: readonly string[];
  /** Absolute paths. */
  readonly VOLUME?: readonly string[];
  /** Dockerfile instructions for images that stand on this one. */
  readonly ONBUILD?: readonly string[];
  /** Absolute, or below the one before. */
  readonly WORKDIR?: string;
  /** `user`, `uid`, `user:group` or `uid:gid` */
  readonly USER?: string;
  /** Name or number. */
  readonly STOPSIGNAL?: string;
  /** How the container is asked whether it works. */
  readonly HEALTHCHECK?: HealthcheckRule;
}

/** image config `Healthcheck`; durations in nanoseconds as Docker stores them. */
export interface HealthcheckRule {
  /** `NONE`, or `CMD` or `CMD-SHELL` with what to run. */
  readonly Test: readonly string[];
  /** Nanoseconds between checks. */
  readonly Interval?: number;
  /** Nanoseconds that a check may take. */
  readonly Timeout?: number;
  /** Nanoseconds in which failures do not count. */
  readonly StartPeriod?: number;
  /** Nanoseconds between checks in that time. */
  readonly StartInterval?: number;
  /** Failures in a row that count. */
  readonly Retries?: number;
}

/** What commands find mounted. Nothing in it enters the image. */
export type MountRule =
  /** Line of the entry, and its file; absent: the dappfile. */
  & { readonly to: string; readonly line: number; readonly file?: string }
  & (
    /** `locked`: of all steps that have it, one runs at a time. Not signed. */
    | { readonly from: "tmp_dir" | "build_dir"; readonly sharing?: "locked" }
    /** `size` in bytes. Not signed. */
    | { readonly from: "memory"; readonly size: number }
    | { readonly from: "path"; readonly path: string }
  );

/** Where a secret comes from: a variable of dapp's environment, or a file. */
export type SecretSource =
  | { readonly env: string }
  /** Absolute, relative to the project directory, or starting with `~/`. */
  | { readonly file: string };

/** A value that commands see and nothing else does. */
export interface SecretRule {
  /** Its name, a part of the signature. */
  readonly id: string;
  /** Where the value comes from. */
  readonly source: SecretSource;
  /** Where commands find it as a file, absolute; absent when they see it as a variable only. */
  readonly target?: string;
  /** Variable in which commands find it. */
  readonly as?: string;
  /** Part of the signature, as the value is not: changing it builds again. */
  readonly version?: string;
  /** Line of the entry. */
  readonly line: number;
  /** The file of the entry; absent: the dappfile. */
  readonly file?: string;
}

/** Files of an artifact that go into the image. */
export interface ImportRule {
  /** Name of the artifact. */
  readonly artifact: string;
  /** Absolute path in the artifact. */
  readonly add: string;
  /** Absolute path in the image. */
  readonly to: string;
  /** The stage that the files are there for. */
  readonly before?: "install" | "setup";
  /** Exactly one of `before` and `after` is present. */
  readonly after?: "install" | "setup";
  /** Patterns of files to take; empty means all. */
  readonly includePaths: readonly string[];
  /** Patterns of files to leave out. */
  readonly excludePaths: readonly string[];
  /** User of the files, by name or number. */
  readonly owner?: string;
  /** Group of the files, by name or number. */
  readonly group?: string;
  /** Line of the entry, 1-based. */
  readonly line: number;
  /** The file of the entry; absent: the dappfile. */
  readonly file?: string;
}
