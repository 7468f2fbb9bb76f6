import type { LayerIndex } from "../../lib/layer/index.ts";
import type { ImageConfig, OciPlatform } from "../../lib/oci/types.ts";
import type { StepPlace } from "./place.ts";
import type { ImageState, Layer, Store } from "./store.ts";
import type { RegistryAccess, Repository } from "./registry.ts";
import type { Signature } from "./signature.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** What a step sees beside its image. Nothing in it enters the image. `target` is an absolute path inside. */
export type StepMount =
  /** A directory, file or socket of this machine; only builders on this machine can offer it. */
  | {
    readonly kind: "host";
    readonly source: string;
    readonly target: string;
    readonly readOnly: boolean;
  }
  /**
   * A directory that is kept between builds of a project, wherever the builder keeps it. With `locked` one step has it at a
   * time; of those that share a store the engine sees to it.
   */
  | {
    readonly kind: "cache";
    readonly project: string;
    readonly name: string;
    readonly target: string;
    readonly locked?: true;
  }
  /** A directory that is empty at the start of a run. */
  | { readonly kind: "tmp"; readonly target: string }
  /** An empty directory of the step's own, in memory, that holds `size` bytes. */
  | { readonly kind: "memory"; readonly target: string; readonly size: number }
  /** A file of mode 0400 in memory with a value of `StepIo.secret`. */
  | { readonly kind: "secret"; readonly id: string; readonly target: string }
  /** The socket of an agent for ssh keys. */
  | { readonly kind: "ssh"; readonly id: string; readonly target: string };

/** What a builder may offer to mount. Variables with secrets belong to `secret`. */
export type MountKind = StepMount["kind"];

/**
 * A layer that steps can already stand on. Its content is fixed (`diffId`) before it is compressed, so the next
 * stage need not wait for the blob.
 */
export interface LayerRef {
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  /** Settles when the blob is in the store. Of a layer that is elsewhere, asking for this brings it here. */
  readonly stored: Promise<Layer>;
  /** What images say of it, once it is compressed, wherever its blob is. Absent: as `stored`. */
  readonly described?: Promise<Layer>;
  /** Full name of a repository that has the blob, when it may not be in the store. */
  readonly place?: string;
  /** The tar in a file, which stays until the store is closed: of a small layer that is not compressed yet. */
  readonly tar?: string;
}

/** Layers that a registry has, and how it is reached. */
export interface LayerPlace {
  /** The repository with the layers. */
  readonly repository: Pick<Repository, "name" | "blob">;
  /** How the user wants the registry to be reached. */
  readonly access: RegistryAccess;
}

/** Where a stage will be published. */
export interface SharedPlace extends LayerPlace {
  /** Where layers of the stage go. */
  readonly repository: Repository;
  /** A name for whatever must have a tag for a while; nobody needs what is there once the stage is published. */
  readonly spareTag: string;
}

/** An image as a registry has it; what stands on it goes there as well. */
export interface SharedImage extends SharedPlace {
  /** Of a manifest with exactly the layers that are meant. */
  readonly manifest: Digest;
  /** Its configuration, as the manifest has it. */
  readonly config: ImageConfig;
  /**
   * The configuration, as JSON, that the stage upon it will have, its newest layer left out of `rootfs`. Where a builder
   * leaves it in the repository, it need not be sent once more. Absent: it is long.
   */
  readonly next?: string;
}

/** An image in any registry, named so that it cannot become another one. */
export interface PinnedImage {
  /** Full name of the repository. */
  readonly repository: string;
  /** Digest of its manifest, for one platform. */
  readonly digest: Digest;
}

/** Network of commands: this machine's, only a loopback interface, or one of their own with a way out. */
export type StepNetwork = "host" | "none" | "private";

/** What a builder must do for one stage, free of names and time. */
export interface BuildStep {
  /** Names the work in messages and logs. */
  readonly label: string;
  /** Signature of the stage. */
  readonly signature: Signature;
  /** Lowest first. */
  readonly parents: readonly LayerRef[];
  /** Steps of one value stand on each other, and are best run in one place: the signature of the first of them. */
  readonly placement?: Signature;
  /** Run it even where its result is known: somebody wants the stage built anew. */
  readonly forced?: boolean;
  /** Each is shell text; they share one shell and stop at the first failure. */
  readonly commands: readonly string[];
  /** Complete environment but for `secretEnv`. */
  readonly env: Readonly<Record<string, string>>;
  /** Variables whose values are secrets: ids by name. They win over those of `env`. */
  readonly secretEnv?: Readonly<Record<string, string>>;
  /** What is mounted while commands run. */
  readonly mounts: readonly StepMount[];
  /** Network of the commands. Absent: private where the builder can give that, else the machine's, which it says. */
  readonly network?: StepNetwork;
  /**
   * The parents as an image in the registry that the stage will be published in. Asked, it publishes what is missing there;
   * undefined when it cannot be had. A builder that is elsewhere can take it from there, and leave its layer there.
   */
  readonly shared?: () => Promise<SharedImage | undefined>;
  /** Latest modification time that a file in the layer may carry, seconds since 1970. */
  readonly epoch: number;
  /** How the layer is compressed. */
  readonly compression: LayerCompression;
}

/** How layers are compressed. */
export interface LayerCompression {
  /** The algorithm. */
  readonly kind: "gzip" | "zstd";
  /** gzip 2 to 9, zstd 1 to 19. */
  readonly level: number;
}

/** What a finished step added. */
export interface StepResult {
  /** Undefined when the step changed nothing. */
  readonly layer?: {
    readonly diffId: Digest;
    /** What is in it, when the builder knows; otherwise it is read back from the blob when needed. */
    readonly index?: LayerIndex;
    /**
     * The compressed layer: hashed but not yet adopted in the store's scratch directory, or in the repository of the step's
     * shared image. Never rejects unobserved.
     */
    readonly blob: Promise<Layer & (LayerFile | LayerElsewhere)>;
  };
  /** Manifest under the spare tag of the step's shared image, which nobody needs once the stage is published. */
  readonly spare?: Digest;
  /** Configuration of that manifest, which may be that of the stage. */
  readonly config?: Digest;
}

/** A layer that was made here. */
export interface LayerFile {
  /** In the store's scratch directory. */
  readonly file: string;
}

/** A layer that never came here. */
export interface LayerElsewhere {
  /** Full name of the repository that has it. */
  readonly place: string;
}

/** A file, link or directory that a Dockerfile can copy. Owner is root, the time that of the step. */
export type ContextEntry =
  /** `path` is relative to the context. Its bytes stand in a file of this machine, from `offset` on. */
  & { readonly path: string; readonly mode: number }
  & (
    | { readonly kind: "file"; readonly file: string; readonly offset: number; readonly size: number }
    | { readonly kind: "link"; readonly target: string }
    | { readonly kind: "dir" }
  );

/** An image that a Dockerfile stands on or copies from. */
export interface DockerfileBase {
  /** As the Dockerfile names it, variables replaced. */
  readonly name: string;
  /** `os/architecture[/variant]`, when it is another than that of the build. */
  readonly platform?: string;
  /** It is called as one of the Dockerfile's stages is. */
  readonly ambiguous?: true;
  /** What stands under that name. */
  readonly image: ImageState;
  /** Where to take it from: its layers may not be in the store. Absent: all of it is there. */
  readonly at?: PinnedImage;
}

/** A Dockerfile to build: everything that goes in, so that nothing else is asked for. */
export interface DockerfileStep {
  /** Names the work in messages and logs. */
  readonly label: string;
  /** Signature of the stage. */
  readonly signature: Signature;
  /** Run it even where its result is known: somebody wants the stage built anew. */
  readonly forced?: boolean;
  /** Its text. */
  readonly text: string;
  /** Its path in the project, for messages. */
  readonly file: string;
  /** Stage to build; absent: the last one. */
  readonly target?: string;
  /** Build arguments. */
  readonly args: Readonly<Record<string, string>>;
  /** Proxies for its commands, by variable. Not signed, and in no image. */
  readonly proxies: Readonly<Record<string, string>>;
  /** All images that it may use; any other is refused. */
  readonly bases: readonly DockerfileBase[];
  /** What it can copy, directories before what is in them, names in the order of their bytes. */
  readonly context: readonly ContextEntry[];
  /** Ids of the secrets that its commands may mount. */
  readonly secrets: readonly string[];
  /** Ids of the ssh agents that its commands may mount. */
  readonly ssh: readonly string[];
  /** Equal ids mean equal contexts. */
  readonly contextId: Digest;
  /** Directories that are kept between builds (`RUN --mount=type=cache`) are those of builds with the same value. */
  readonly cacheScope: string;
  /** Network of the commands; absent: the builder's choice. */
  readonly network?: StepNetwork;
  /** `ADD` of URLs and git repositories, which the daemon reads by itself, is refused. @default false */
  readonly withoutDownloads?: boolean;
  /** Latest modification time that a file in a layer may carry, seconds since 1970. */
  readonly epoch: number;
  /** How new layers are compressed. */
  readonly compression: LayerCompression;
  /** Where the stage will be published: a builder that is elsewhere can leave all layers there. */
  readonly shared?: SharedPlace;
}

/** An image that a Dockerfile made. */
export interface DockerfileResult {
  /** Its configuration; `rootfs` and the layers tell the same. */
  readonly config: ImageConfig;
  /** Lowest first: layers of bases as they are in the store, new ones as steps make them, or any in the step's repository. */
  readonly layers: readonly (Layer | (Layer & LayerElsewhere) | NonNullable<StepResult["layer"]>)[];
  /** Manifest under the spare tag of the step's repository, which nobody needs once the stage is published. */
  readonly spare?: Digest;
}

/** An interactive or piped command in an image; nothing it writes is kept. */
export interface ShellStep {
  /** Names the work in messages and logs. */
  readonly label: string;
  /** Lowest first. */
  readonly parents: readonly LayerRef[];
  /** Program and arguments. */
  readonly argv: readonly string[];
  /** Complete, but for HOME: where it is absent, it is the user's. */
  readonly env: Readonly<Record<string, string>>;
  /** Absolute path inside; created when missing. */
  readonly cwd: string;
  /** `user`, `uid`, `user:group` or `uid:gid`; "" is root. A known user without a group has all its groups of the image. */
  readonly user: string;
  /** What is mounted while commands run. */
  readonly mounts: readonly StepMount[];
  /** Network of the commands. Absent: private where the builder can give that, else the machine's, which it says. */
  readonly network?: StepNetwork;
}

/** After a command that failed, or before it. */
export type FailedMoment = "after" | "before";

/** What a step needs while it runs. */
export interface StepIo {
  /**
   * The value of one of the step's secrets. It must get to the step's commands and nowhere else: into no file of a
   * disk, no argument or environment of another process, no message.
   */
  secret?(id: string): Uint8Array;
  /** Path on this machine of the socket of one of the step's ssh agents. */
  sshAgent?(id: string): string;
  /** Takes what commands print. */
  output(stream: "stdout" | "stderr", text: string): void;
  /** Takes where the step runs, before it does, and again when that place was lost. Untold: on this machine. */
  placed?(place: StepPlace): void;
  /** Told when no command runs any more and what they changed is still to be taken: another step may begin then. */
  ran?(): void;
  /** Aborts the work. */
  readonly signal: AbortSignal;
  /**
   * Called with the step's file system still in place when a command failed, before it is discarded. The shell is in what
   * the command left; of a Dockerfile it may also be in what the command stood on.
   */
  readonly onFailure?: (shell: (when?: FailedMoment) => Promise<number>) => Promise<void>;
}

/** Runs commands on top of an image and captures what they changed. */
export interface Builder extends AsyncDisposable {
  /** As `--builder` names it. */
  readonly name: string;
  /** What steps may mount. @default host, cache and tmp */
  readonly mounts?: readonly MountKind[];
  /** Tells how many steps can run at once, as soon as that is known and whenever it changes. Absent: as many as asked for. */
  watchCapacity?(changed: (steps: number) => void): void;
  /** Where a step would run, as far as that can be told without asking there. Absent: on this machine. */
  place?(step: Pick<BuildStep, "signature" | "placement">): Promise<StepPlace>;
  /** Whether its steps can stand on images in a registry and leave their layers there ({@linkcode BuildStep.shared}). */
  readonly elsewhere?: boolean;
  /** Prepares what the first step will need while the engine still plans; never throws. */
  warmUp?(): void;
  /** Starts what unpacks layers, if some have to be: which ones, `prefetch` is told later. Never throws. */
  expectLayers?(): Promise<void>;
  /** Unpacks layers that a later step will probably stand on; settles when it is done, and never throws. */
  prefetch?(layers: readonly LayerRef[]): Promise<void>;
  /**
   * Compresses the tar of a small layer beside the commands of a step that stands on it, into a scratch file and to the
   * bytes that the engine makes. Settles soon where no step comes. Absent: the engine does it first.
   */
  compress?(tar: string, how: LayerCompression): Promise<Layer & LayerFile>;
  /**
   * Runs the commands of a stage and captures what they changed.
   *
   * @throws STAGE_FAILED when a command fails, BUILDER_UNAVAILABLE when this machine lacks something
   */
  run(step: BuildStep, io: StepIo): Promise<StepResult>;
  /**
   * Builds a Dockerfile. Absent: this builder cannot.
   *
   * @throws STAGE_FAILED with `at` when the Dockerfile or one of its commands fails, BUILDER_UNAVAILABLE, SOURCE_NOT_FOUND
   * when the builder cannot read one of the bases where it is
   */
  buildDockerfile?(step: DockerfileStep, io: StepIo): Promise<DockerfileResult>;
  /**
   * What is kept of layers that no stage has; removes it unless `dryRun`. `used`: contents of all stages' layers. Asked
   * while no other process has the store open, and needs no space.
   */
  leftovers?(used: ReadonlySet<Digest>, options: { readonly dryRun: boolean }): Promise<BuilderLeftovers>;
  /**
   * What is in a layer that a registry has, verified, without its bytes coming here; undefined when that cannot be found
   * out.
   *
   * @throws LAYER_INVALID, or REGISTRY_FAILED when the builder cannot read it there
   */
  look?(layer: Layer, at: LayerPlace, signal: AbortSignal): Promise<LayerIndex | undefined>;
  /**
   * Lets a repository have the layers of an image of any registry, without their bytes coming here. Gives the manifest
   * that it left under the spare tag, which has just these layers.
   *
   * @throws REGISTRY_FAILED when the builder cannot read the one or write the other
   */
  copy?(
    image: PinnedImage & Pick<ImageState, "layers">,
    to: SharedPlace,
    signal: AbortSignal,
  ): Promise<Digest>;
  /** Runs with this process's own stdin, stdout and stderr; returns the exit code, 128+n for signal n. */
  shell(step: ShellStep, signal: AbortSignal): Promise<number>;
}

/** What a builder keeps that is not needed any more. */
export interface BuilderLeftovers {
  /** Where it is, for people. */
  readonly path: string;
  /** Things that were or would be removed. */
  readonly count: number;
  /** Directories that this user may not remove. */
  readonly kept: readonly string[];
}

/** Asked when a command stage is about to be built. */
export interface BuilderRequest {
  /** What stages are built for. */
  readonly platform: OciPlatform;
  /** Where layers come from and go to. */
  readonly store: Store;
  /** The name from `--builder` or the configuration; undefined = whoever can. */
  readonly name?: string;
  /** Steps that may run at once. */
  readonly parallel: number;
  /** Nothing will run: wanted is whoever keeps something in the store that may be left over. */
  readonly tidy?: true;
  /** What steps will ask for, as far as it is known. */
  readonly network?: StepNetwork;
  /** To be told what is in a blob that was unpacked and has the content it should, which saves reading it again. */
  readonly onLayer?: (layer: Pick<Layer, "digest" | "diffId">, index: LayerIndex) => void;
}
