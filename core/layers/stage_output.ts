import { ociLabels } from "../contract/labels.ts";
import type { ContainerConfig, HistoryEntry, ImageConfig } from "../../lib/oci/types.ts";
import type { ImageState, Layer, StageRecord, Store } from "../contract/store.ts";
import type { LayerFile, LayerRef, SharedImage, SharedPlace } from "../contract/builder.ts";
import type { GitTrees } from "../git/trees.ts";
import type { ResolvedOptions } from "../settings/options.ts";
import type { GitImagePlan } from "../sign/git_stages.ts";
import type { ImageNode } from "../sign/graph.ts";
import type { SignedImage, SignedStage } from "../sign/sign.ts";
import type { Elsewhere } from "./elsewhere.ts";
import type { LayerReader } from "./layer_reader.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** A layer of an image while that grows. */
export interface GrownLayer extends LayerRef {
  /** Makes sure that its blob outlives a failure of the machine. Absent: it does as soon as it is stored. */
  settle?(): Promise<unknown>;
}

/** An image while it grows. */
export interface GrownImage {
  /** Everything of the image configuration but what follows from the layers. */
  readonly config: Omit<ImageConfig, "rootfs" | "history">;
  readonly history: readonly HistoryEntry[];
  readonly layers: readonly GrownLayer[];
  readonly trees: Readonly<Record<string, Digest>>;
}

/** What a stage gives: later ones can stand on it before its newest layers are compressed and saved. */
export interface StageOutput extends GrownImage {
  /** Settles when all layers are in the store, and those of the base found to be what it says. */
  readonly stored: Promise<ImageState>;
  /** Settles when the stage and all before it are in the store. */
  readonly saved: Promise<StageRecord>;
}

/** What a stage adds to the output before it. */
export interface StageDelta {
  readonly layers: readonly GrownLayer[];
  readonly container?: ContainerConfig;
  readonly trees?: Readonly<Record<string, Digest>>;
}

/** A layer whose blob is in the store. */
export function storedLayer(layer: Layer): LayerRef {
  return { diffId: layer.diffId, stored: Promise.resolve(layer) };
}

/** A layer whose blob may be lost when the machine fails, until `settle` has been called with it: others can stand on it. */
export function settlingLayer(ref: LayerRef, settle: (layer: Layer) => Promise<unknown>): GrownLayer {
  let settled: Promise<unknown> | undefined;
  return { ...ref, settle: () => settled ??= ref.stored.then(settle) };
}

/** The output that a record describes. */
export function outputOf(record: StageRecord, elsewhere?: Elsewhere): StageOutput {
  const output = outputOfImage(record.image);
  const layers = elsewhere?.refsOf(record) ?? output.layers;
  return {
    ...output,
    layers,
    trees: record.trees ?? {},
    stored: Promise.resolve(record.image),
    saved: Promise.resolve(record),
  };
}

/** What images say of a layer, wherever it is. */
export function describe(layer: LayerRef): Promise<Layer> {
  return layer.described ?? layer.stored;
}

/** The parts of a finished image. */
export function outputOfImage(image: ImageState): Omit<GrownImage, "trees"> {
  const { rootfs: _, history = [], ...config } = image.config;
  const layers = image.layers.map(storedLayer);
  // A base whose history does not fit its layers would make an invalid image: tools refuse it.
  const fits = history.filter((h) => !h.empty_layer).length === layers.length;
  return { config, history: fits ? history : layers.map(() => ({ created_by: "base image" })), layers };
}

/** An output to stand on: ONBUILD triggers are for the first image upon a base, not for those upon that one. */
export function withoutTriggers<O extends Pick<StageOutput, "config">>(output: O): O {
  const { OnBuild: _, ...container } = output.config.config ?? {};
  return { ...output, config: { ...output.config, config: container } };
}

/** An output to stand on: which release of itself a base is, by its labels, says nothing of what is built upon it. */
export function withoutRelease<O extends Pick<StageOutput, "config">>(output: O): O {
  const { Labels, ...container } = output.config.config ?? {};
  const { [ociLabels.revision]: _, [ociLabels.version]: __, ...rest } = Labels ?? {};
  if (Object.keys(rest).length === Object.keys(Labels ?? {}).length) return output;
  return { ...output, config: { ...output.config, config: { ...container, Labels: rest } } };
}

/** What the history of an image says of a stage; `created` is RFC 3339. */
export type HistoryLine = Required<Pick<HistoryEntry, "created" | "created_by">>;

/** Puts a stage's own part on top of what was there. */
export function addDelta(before: GrownImage, delta: StageDelta, line: HistoryLine): GrownImage {
  const history = delta.layers.length === 0 ? [{ ...line, empty_layer: true }] : delta.layers.map(() => line);
  return {
    config: {
      ...before.config,
      created: line.created,
      ...(delta.container && { config: delta.container }),
    },
    history: [...before.history, ...history],
    layers: [...before.layers, ...delta.layers],
    trees: { ...before.trees, ...delta.trees },
  };
}

/** Waits until all blobs are in the store and outlive a failure of the machine, and gives the image as data. */
export async function settleImage(output: GrownImage): Promise<ImageState> {
  const layers = await Promise.all(output.layers.map(async (layer) => {
    const [found] = await Promise.all([describe(layer), layer.settle?.()]);
    return found;
  }));
  return {
    layers,
    config: {
      ...output.config,
      rootfs: { type: "layers", diff_ids: layers.map((layer) => layer.diffId) },
      history: output.history,
    },
  };
}

/** One stage to build. */
export interface StageTask {
  readonly image: SignedImage;
  readonly stage: SignedStage;
  readonly parent: StageOutput;
  /** Final outputs of the images that this stage uses, by key. */
  readonly others: ReadonlyMap<string, StageOutput>;
  /** Commands of a later stage of the image stand on what it makes. */
  readonly followed: boolean;
}

/** REPO, as far as a stage that is built by a builder elsewhere has to do with it. */
export interface TaskRegistry {
  /** Where a builder can leave something for the stage; undefined when it cannot. A new one for each call. */
  place(): SharedPlace | undefined;
  /** The stage's parent, published if it was not there; undefined when that cannot be had. */
  image(): Promise<SharedImage | undefined>;
  /** Takes a layer that the builder has left there. */
  left(layer: Layer): LayerRef;
  /** Takes note of another blob that the builder has left there. */
  leftBlob(digest: Digest): void;
  /** Takes what is to be removed once the stage is published. */
  spare(tag: string, digest: Digest): void;
}

/** What making the layer of a stage takes. */
export interface LayerWorker {
  readonly reader: LayerReader;
  readonly store: Store;
  /** Full layers of git that were made here, by their keys. */
  readonly gitLayers: Map<string, GrownLayer>;
  /** A fresh path in this process's scratch directory. */
  temp(): Promise<string>;
  /** What compresses small tars beside the commands that stand on them, if the builder does. */
  compressor(): Promise<((tar: string) => Promise<Layer & LayerFile>) | undefined>;
  readonly session: {
    readonly options: Pick<ResolvedOptions, "epoch" | "compression" | "emit">;
    readonly trees: Pick<GitTrees, "of">;
    project(): Promise<{ readonly name: string }>;
    /** What the git stages of an image deliver; undefined when it has no git entries. */
    git(node: ImageNode): Promise<GitImagePlan | undefined>;
  };
}
