import { observed } from "../../lib/pool.ts";
import type { Signature } from "../contract/signature.ts";
import type { StageRecord } from "../contract/store.ts";
import { describe, outputOf, type StageOutput } from "../layers/stage_output.ts";
import { type CachedTops, imagesOf } from "../plan/plan.ts";
import { needsBuilder } from "../sign/needs_builder.ts";
import type { SignedGraph, SignedImage, SignedStage } from "../sign/sign.ts";
import { refOf } from "../sign/stage_ref.ts";
import { BuildProgress, type ProgressNeeds } from "./build_progress.ts";
import { type MakeNeeds, StageMaker } from "./make_stage.ts";
import { StageProgress } from "./stage_progress.ts";

/** What building needs beside the signed graph. */
export interface ExecuteInputs extends MakeNeeds, ProgressNeeds {
  readonly emit: MakeNeeds["emit"];
  /** Ends the build: the user's, and `stop`. */
  readonly signal: AbortSignal;
  /** Stages to build even if they are in the store. */
  readonly forced: ReadonlySet<Signature>;
}

/** Builds stages on demand, each once, in parallel where nothing stands between them. */
export class Executor {
  readonly progress: BuildProgress;
  readonly #maker: StageMaker;
  readonly #outputs = new Map<Signature, Promise<StageOutput>>();

  /** @param tops the highest stage of each image that is there, which is where building begins */
  constructor(readonly signed: SignedGraph, readonly tops: CachedTops, readonly inputs: ExecuteInputs) {
    this.progress = new BuildProgress(inputs, signed.images);
    this.#maker = new StageMaker(inputs, this.progress);
  }

  /** Changes how many stages may be built at once. */
  resize(parallel: number): void {
    this.#maker.resize(parallel);
  }

  /** Builds the images and waits until they are saved. After a failure nothing new starts; what runs may end. */
  async run(keys: readonly string[]): Promise<readonly StageRecord[]> {
    const made = keys.map((key) => this.#image(key));
    observed(this.#rest(made));
    const results = await Promise.allSettled(keys.map(async (key, i) => {
      const record = await (await made[i]!).saved;
      this.progress.saved(key);
      return record;
    }));
    await Promise.allSettled([...this.#outputs.values()].map(async (output) => await (await output).saved));
    this.inputs.signal.throwIfAborted();
    const errors = results.flatMap((r) => r.status === "rejected" ? [r.reason as unknown] : []);
    // Saving an earlier stage can fail while the last one was not even begun.
    if (errors.length > 0) throw this.progress.newsOf(errors);
    return results.flatMap((r) => r.status === "fulfilled" ? [r.value] : []);
  }

  /** Lets what ran commands end while stages are saved, once all of them are made. */
  async #rest(made: readonly Promise<StageOutput>[]): Promise<void> {
    await Promise.all(made);
    // One that others have made meanwhile has none of the layers that were made here for what it stands on.
    const outputs = await Promise.all(this.#outputs.values());
    await Promise.all(outputs.flatMap(({ layers }) => layers.map(describe)));
    this.inputs.worker.builder.rest();
  }

  /** A whole image. */
  #image(key: string): Promise<StageOutput> {
    const image = this.signed.image(key);
    return this.#output(image, image.stages.length - 1);
  }

  #output(image: SignedImage, index: number): Promise<StageOutput> {
    const { signature } = image.stages[index]!;
    let output = this.#outputs.get(signature);
    if (!output) {
      output = observed(this.#find(image, index));
      this.#outputs.set(signature, output);
    }
    return output;
  }

  async #find(image: SignedImage, index: number): Promise<StageOutput> {
    await undefined; // of thousands of stages upon each other each has a call stack of its own
    const top = this.tops.get(image.node.key);
    if (top?.index === index) return await this.#reuse(image, top);
    return await this.#make(image, index, top?.index ?? -1);
  }

  /** The highest stage that is there. */
  async #reuse(
    image: SignedImage,
    top: { readonly index: number; readonly record: StageRecord },
  ): Promise<StageOutput> {
    const { worker, store: { stages }, shared: { elsewhere } } = this.inputs;
    if (top.index < image.stages.length - 1) {
      const place = top.record.elsewhere?.repository ?? "the store";
      new StageProgress(this.progress, image, image.stages[top.index]!).reuse(`in ${place}`);
    }
    await worker.shells.cached(image, top, { stages, elsewhere });
    return outputOf(top.record, elsewhere);
  }

  /** @param top the index of the highest stage that is there; -1 when none is */
  async #make(image: SignedImage, index: number, top: number): Promise<StageOutput> {
    const stage = image.stages[index]!;
    if (stage.spec.work.kind === "git") this.#prepare(image, index, top);
    // What a stage imports from starts at once, beside the stages before it.
    const started = imagesOf(image, stage).map((key) => [key, this.#image(key)] as const);
    const parent = index > 0 ? await this.#output(image, index - 1) : undefined;
    const others = new Map<string, StageOutput>();
    for (const [key, output] of started) others.set(key, await output);
    const task = {
      image,
      stage,
      at: refOf(image, stage),
      parent,
      others,
      followed: isFollowed(image, stage),
      forced: this.inputs.forced.has(stage.signature),
      late: parent !== undefined && index - 1 > top,
    };
    const output = await this.#maker.make(task);
    await this.inputs.worker.shells.after(task, output);
    return output;
  }

  /** Lets a git stage be prepared upon the last stage that waits for no commands, when there are commands between. */
  #prepare(image: SignedImage, index: number, top: number): void {
    const first = image.stages.findIndex((stage, i) => i > top && needsBuilder(stage));
    if (first < 1 || first >= index) return;
    const stage = image.stages[index]!;
    const task = { image, stage, followed: isFollowed(image, stage) };
    this.inputs.worker.prepare(task, this.#output(image, Math.max(top, first - 1)));
  }
}

/** Whether a later stage of the image runs commands. */
function isFollowed({ stages }: SignedImage, stage: SignedStage): boolean {
  return stages.slice(stages.indexOf(stage) + 1).some(needsBuilder);
}
