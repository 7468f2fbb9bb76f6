import type { ImageNode } from "../sign/graph.ts";
import type { PlanInputs } from "../plan/plan.ts";
import type { ShareNeeds } from "../share/open_shared.ts";
import type { BlobUploader } from "../share/uploader.ts";
import type { Losses } from "../layers/losses.ts";
import type { StageRecord } from "../contract/store.ts";
import type { HookRunner } from "../hooks/runner.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { GitTrees } from "../git/trees.ts";
import type { ResolvedImage } from "../contract/source.ts";
import type { SignedGraph, SignedImage, SignedStage } from "../sign/sign.ts";
import type { WorkerNeeds } from "./stage_work.ts";
import type { BuildOptions } from "./introspect.ts";
import type { Signature } from "../contract/signature.ts";

/** What it takes to have built images: to know, from here or from registries, that they are there. */
export interface BuiltNeeds extends ShareNeeds {
  readonly options: ShareNeeds["options"] & Pick<ResolvedOptions, "repo">;
  /** REPO, when a command is about one. */
  readonly repo: string | undefined;
  sign(keys: ReadonlySet<string>): Promise<SignedGraph>;
}

/** What a build takes. */
export interface BuildNeeds extends WorkerNeeds, BuiltNeeds {
  readonly options:
    & WorkerNeeds["options"]
    & BuiltNeeds["options"]
    & Pick<ResolvedOptions, "repo" | "repoReadOnly" | "dryRun" | "lockTimeoutMs" | "parallelUnset">;
  readonly trees: WorkerNeeds["trees"] & Pick<GitTrees, "prefetch" | "commit">;
  /** Settles when commands will probably run. */
  readonly news: Promise<void>;
  hooks(): Promise<HookRunner>;
  select(patterns: readonly string[]): Promise<readonly ImageNode[]>;
  sign(
    keys: ReadonlySet<string>,
    onBase?: (name: string, image: ResolvedImage & { readonly unpinned: boolean }) => void,
  ): Promise<SignedGraph>;
  planInputs(repo: string | undefined): Promise<PlanInputs>;
}

export interface BuildExtras extends BuildOptions {
  /** REPO to share stages through; the engine's own when it is absent. */
  readonly repo?: string;
  /** Sends what goes to registries; one of its own when it is absent. */
  readonly uploader?: BlobUploader;
  /** The images go to a registry: layers that are there, and that nothing needs here, are not brought. */
  readonly publishing?: boolean;
  /** What repositories turned out to lack; more is added. */
  readonly losses?: Losses;
  /** Told of each stage that this run has put into REPO. */
  readonly onPublished?: (signature: Signature) => void;
  /** Asked before the first stage is built: what is to be done with images must be possible. */
  readonly mayBuild?: () => Promise<void>;
  /** Told when the build is as good as over: nothing is to be built or shared, and no plugin told of the end. */
  readonly onFresh?: () => void;
  /** Told of each base image that is used. */
  readonly onBase?: Parameters<BuildNeeds["sign"]>[1];
  /** Told on a dry run of each stage that would be built. */
  readonly onPlanned?: (signature: Signature) => void;
  /** Told of each stage as soon as it is saved, and first of the last one that was there of an image that is not whole. */
  readonly onSaved?: (image: SignedImage, stage: SignedStage, record: StageRecord) => void;
}
