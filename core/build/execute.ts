import { baseName, isOwn } from "../sign/base_rule.ts";
import { messageOf } from "../contract/errors.ts";
import type { EventSink, StageRef } from "../contract/events.ts";
import { type BuildOptions, createIntrospector, type Introspector } from "./introspect.ts";
import { type CachedTops, compareStage, imagesOf, type PlanInputs } from "../plan/plan.ts";
import { observed, Pool, type Turn } from "../../lib/pool.ts";
import type { LayerRef } from "../contract/builder.ts";
import type { StepPlace } from "../contract/place.ts";
import type { ImageState, StageRecord, Store } from "../contract/store.ts";
import { lastStage, type SignedGraph, type SignedImage, type SignedStage } from "../sign/sign.ts";
import {
  addDelta,
  describe as describeLayer,
  type GrownImage,
  outputOf,
  settleImage,
  type StageDelta,
  type StageOutput,
  type TaskRegistry,
  withoutTriggers,
} from "../layers/stage_output.ts";
import type { Elsewhere } from "../layers/elsewhere.ts";
import type { LiveCache } from "../share/live_cache.ts";
import { formatEpoch } from "../settings/epoch.ts";
import { imageKey, imageTitle, stageTitle } from "../sign/graph.ts";
import { refOf } from "../sign/stage_ref.ts";
import { stageRecord } from "../sign/stage_record.ts";
import { keepDocuments } from "./finish_image.ts";
import type { StageWorker } from "./stage_work.ts";
import type { Signature } from "../contract/signature.ts";
import { type Stopwatch, wholeMs } from "./stopwatch.ts";
import type { Ledger } from "./ledger.ts";
import type { BuildTimes, StageTimes } from "../contract/results.ts";

/** What building needs beside the signed graph. */
export interface ExecuteInputs extends PlanInputs {
  readonly store: Store;
  readonly worker: StageWorker;
  readonly emit: EventSink;
  /** Ends the build: the user's, and `stop`. */
  readonly signal: AbortSignal;
  /** Ends what runs once a stage has failed, when that is wanted. */
  readonly stop?: AbortController;
  readonly parallel: number;
  readonly lockTimeoutMs: number;
  readonly epoch: number;
  readonly commit: string | undefined;
  readonly options: BuildOptions;
  /** Of the build so far. */
  readonly watch: Stopwatch;
  readonly ledger: Ledger;
  /** Stages to build even if they are in the store. */
  readonly forced: ReadonlySet<Signature>;
  /** Stages that others build meanwhile, and whoever wants to know of those built here. */
  readonly shared: {
    /** The stage in the store, if somebody has published it by now. */
    take(image: SignedImage, stage: SignedStage): Promise<StageRecord | undefined>;
    saved(image: SignedImage, stage: SignedStage, record: StageRecord): void;
    /** REPO for a stage upon another one; undefined when stages are not published. */
    registryFor(task: Parameters<LiveCache["registryFor"]>[0]): TaskRegistry | undefined;
    /** Layers that registries have. */
    readonly elsewhere: Elsewhere | undefined;
  };
}

/** Thrown inside when something else failed first; never reaches the caller. */
class NotStarted extends Error {}

/** Builds stages on demand, each once, in parallel where nothing stands between them. */
export class Executor {
  readonly #pool: Pool;
  readonly #outputs = new Map<Signature, Promise<StageOutput>>();
  readonly #introspector: Introspector;
  /** Keys of the images that were asked for. */
  #wanted: ReadonlySet<string> = new Set();
  /** What failed first. */
  #failure: { readonly error: unknown } | undefined;
  /** By key of the image. */
  readonly #watches = new Map<string, Stopwatch>();
  built = 0;
  /** Stages built here, by key of the image that asked for them first. */
  readonly builtByImage = new Map<string, number>();

  constructor(readonly signed: SignedGraph, readonly tops: CachedTops, readonly inputs: ExecuteInputs) {
    this.#pool = new Pool(inputs.parallel);
    this.#introspector = createIntrospector(inputs.options.introspect);
    for (const { node } of signed.images) this.#watches.set(node.key, inputs.watch.fork());
  }

  /** Changes how many stages may be built at once. */
  resize(parallel: number): void {
    this.#pool.resize(parallel);
  }

  /** How long an image took so far, or until it was saved. */
  timesOf(key: string): BuildTimes {
    return this.#watches.get(key)!.times;
  }

  /** Builds the images and waits until they are saved. After a failure nothing new starts; what runs may end. */
  async run(keys: readonly string[]): Promise<readonly StageRecord[]> {
    this.#wanted = new Set(keys);
    const made = keys.map((key) => {
      const image = this.signed.image(key);
      return this.#output(image, image.stages.length - 1);
    });
    observed(this.#rest(made));
    const results = await Promise.allSettled(keys.map(async (key, i) => {
      const record = await (await made[i]!).saved;
      this.#watches.get(key)!.stop();
      return record;
    }));
    await Promise.allSettled([...this.#outputs.values()].map(async (output) => await (await output).saved));
    this.inputs.signal.throwIfAborted();
    const errors = results.flatMap((r) => r.status === "rejected" ? [r.reason as unknown] : []);
    // Saving an earlier stage can fail while the last one was not even begun.
    if (errors.length > 0) {
      throw errors.find((error) => !(error instanceof NotStarted)) ?? this.#failure?.error;
    }
    return results.flatMap((r) => r.status === "fulfilled" ? [r.value] : []);
  }

  /** Lets what ran commands end while stages are saved, once all of them are made. */
  async #rest(made: readonly Promise<StageOutput>[]): Promise<void> {
    await Promise.all(made);
    // One that others have made meanwhile has none of the layers that were made here for what it stands on.
    const outputs = await Promise.all(this.#outputs.values());
    await Promise.all(outputs.flatMap(({ layers }) => layers.map(describeLayer)));
    this.inputs.worker.rest();
  }

  #output(image: SignedImage, index: number): Promise<StageOutput> {
    const { signature } = image.stages[index]!;
    let output = this.#outputs.get(signature);
    if (!output) {
      output = observed(this.#make(image, index));
      this.#outputs.set(signature, output);
    }
    return output;
  }

  async #make(image: SignedImage, index: number): Promise<StageOutput> {
    const top = this.tops.get(image.node.key);
    const stage = image.stages[index]!;
    const at = refOf(image, stage);
    if (top?.index === index) {
      const place = top.record.elsewhere?.repository ?? "the store";
      if (index < image.stages.length - 1) this.#reuse(at, stage, `in ${place}`);
      await this.#inspectCached(image, top);
      return outputOf(top.record, this.inputs.shared.elsewhere);
    }
    if (stage.spec.work.kind === "git") this.#prepare(image, index);
    // What a stage imports from starts at once, beside the stages before it.
    const started = imagesOf(image, stage).map((key) => {
      const other = this.signed.image(key);
      return [key, this.#output(other, other.stages.length - 1)] as const;
    });
    const parent = index > 0 ? await this.#output(image, index - 1) : undefined;
    const others = new Map<string, StageOutput>();
    for (const [key, output] of started) others.set(key, await output);
    const output = await this.#build(image, stage, parent, others);
    if (this.#introspector.after(at)) await this.inputs.worker.inspect(at, output, image, "after");
    return output;
  }

  /** Opens the shells that were asked for in stages up to the highest cached one. */
  async #inspectCached(
    image: SignedImage,
    { index, record: top }: { readonly index: number; readonly record: StageRecord },
  ): Promise<void> {
    const { store, worker, emit, shared } = this.inputs;
    for (const [i, stage] of image.stages.slice(0, index + 1).entries()) {
      const at = refOf(image, stage);
      for (const when of ["before", "after"] as const) {
        if (!this.#introspector[when](at)) continue;
        const { signature } = when === "after" ? stage : image.stages[i - 1] ?? stage;
        const record = signature === top.signature ? top : await store.stages.whole(signature);
        if (record) await worker.inspect(at, outputOf(record, shared.elsewhere), image, when);
        else {
          const text = `No shell ${when} ${
            stageTitle(at.kind, at.image, at.stage)
          }: that state is not in the store, only a later one`;
          emit({ type: "note", level: "warn", text });
        }
      }
    }
  }

  /** Opens a shell in what a stage stands on, or says why there is none. */
  async #inspectBefore(
    image: SignedImage,
    stage: SignedStage,
    parent: StageOutput | undefined,
  ): Promise<void> {
    const at = refOf(image, stage);
    if (parent) return await this.inputs.worker.inspect(at, parent, image, "before");
    const what = stage.spec.work.kind === "dockerfile"
      ? "; --introspect-before-error opens one before the command that fails"
      : "";
    const text = `No shell before ${
      stageTitle(at.kind, at.image, at.stage)
    }: no stage comes before it${what}`;
    this.inputs.emit({ type: "note", level: "warn", text });
  }

  /** Lets a git stage be prepared upon the last stage that waits for no commands, when there are commands between. */
  #prepare(image: SignedImage, index: number): void {
    const top = this.tops.get(image.node.key)?.index ?? -1;
    const first = image.stages.findIndex((stage, i) => i > top && runsCommands(stage));
    if (first < 1 || first >= index) return;
    const stage = image.stages[index]!;
    const task = {
      image,
      stage,
      at: refOf(image, stage),
      others: new Map(),
      followed: isFollowed(image, stage),
      introspector: this.#introspector,
      forced: this.inputs.forced.has(stage.signature),
      placed() {},
      ran() {},
    };
    this.inputs.worker.prepare(task, this.#output(image, Math.max(top, first - 1)));
  }

  async #build(
    image: SignedImage,
    stage: SignedStage,
    parent: StageOutput | undefined,
    others: ReadonlyMap<string, StageOutput>,
  ): Promise<StageOutput> {
    const { store, emit, signal, lockTimeoutMs, ledger } = this.inputs;
    const at = refOf(image, stage);
    const { signature } = stage;
    const turn = wholeMs();
    let waited = parent !== undefined && !this.#isCached(image, image.stages.indexOf(stage) - 1);
    const wait = (reason: string) => {
      waited = true;
      emit({ type: "stage.waiting", at, signature, reason });
    };
    const lock = await store.locks.take(`stage ${stage.signature}`, {
      timeoutMs: lockTimeoutMs,
      signal,
      onWait: (holder) => {
        emit({ type: "lock.waiting", resource: stageTitle(at.kind, at.image, at.stage), holder });
        wait(`for ${holder}`);
      },
    });
    let release = true;
    let stopRunning = () => {};
    try {
      const forced = this.inputs.forced.has(stage.signature);
      const found = forced ? undefined : await store.stages.whole(stage.signature);
      if (found) {
        this.#reuse(at, stage, "built meanwhile");
        this.inputs.shared.saved(image, stage, found); // that process may not publish it
        return outputOf(found);
      }
      if (parent) await this.inputs.worker.ready({ stage, parent, others }, wait);
      if (this.#pool.full) wait(`until one of ${this.#pool.size} running stages ends (--parallel)`);
      let start = turn;
      const made = await this.#pool.run(async (turn) => {
        signal.throwIfAborted();
        if (this.#failure) throw new NotStarted("Another stage failed first");
        // Whoever did not wait has just been told that nobody has it.
        const late = waited && isBuilt(stage) && !forced;
        const taken = late ? await this.inputs.shared.take(image, stage) : undefined;
        if (taken) return { taken };
        const { reason } = await compareStage(image, stage, this.inputs);
        ledger.start(signature, at);
        emit({ type: "stage.started", at, signature, reason });
        if (this.#introspector.before(at)) await this.#inspectBefore(image, stage, parent);
        start = wholeMs();
        stopRunning = this.#begin(image, "running");
        return { delta: await this.#work(image, stage, parent, others, turn) };
      });
      if (made.taken) {
        ledger.end(signature, { state: "fetched" });
        return outputOf(made.taken, this.inputs.shared.elsewhere);
      }
      const { delta } = made;
      const times = { waitingMs: start - turn, runningMs: wholeMs() - start };
      const stopSaving = this.#begin(image, "saving");
      stopRunning();
      ledger.save(signature);
      emit({ type: "stage.saving", at, signature });
      const stored = observed(
        this.#store(image, stage, [...parent ? [parent] : [], ...others.values()], delta),
      );
      const saved = observed(
        this.#save(image, stage, parent, { ...delta, stored }, times).finally(async () => {
          stopSaving();
          await lock[Symbol.asyncDispose]();
        }),
      );
      release = false;
      return { ...delta, stored, saved };
    } catch (error) {
      stopRunning();
      this.#fail(at, stage, error);
      throw error;
    } finally {
      if (release) await lock[Symbol.asyncDispose]();
    }
  }

  /** Whether a stage is the highest one that was there when the build began, or below it. */
  #isCached({ node }: SignedImage, index: number): boolean {
    return index <= (this.tops.get(node.key)?.index ?? -1);
  }

  /** Begins an activity of an image, and so of the build. */
  #begin(image: SignedImage, activity: "running" | "saving"): () => void {
    const ends = [this.inputs.watch, this.#watches.get(image.node.key)!].map((each) => each.begin(activity));
    return () => ends.forEach((end) => end());
  }

  #reuse(at: StageRef, { signature }: SignedStage, reason: string): void {
    this.inputs.ledger.end(signature, { state: "reused" });
    this.inputs.emit({ type: "stage.reused", at, signature, reason });
  }

  async #work(
    image: SignedImage,
    stage: SignedStage,
    parent: StageOutput | undefined,
    others: ReadonlyMap<string, StageOutput>,
    turn: Turn,
  ): Promise<MadeOutput> {
    const { base } = image.node.rule;
    const created = formatEpoch(this.inputs.epoch);
    const { worker } = this.inputs;
    const registry = this.inputs.shared.registryFor({
      image,
      stage,
      entry: { created, created_by: describe(stage) },
      ...(parent &&
        { parent: { stage: image.stages[image.stages.indexOf(stage) - 1]!, saved: parent.saved } }),
    });
    if (!parent) {
      if (base.kind === "dockerfile") {
        const forced = this.inputs.forced.has(stage.signature);
        const at = refOf(image, stage);
        return await worker.dockerfile({
          image,
          stage,
          at,
          forced,
          introspector: this.#introspector,
          placed: this.#placed(image, stage, turn),
          ran: turn.leave,
          registry,
        });
      }
      const output = isOwn(base)
        ? others.get(imageKey(base.kind, base.name))!
        : { ...await worker.baseOutput(baseName(image.node.rule), registry), trees: {} };
      const triggers = output.config.config?.OnBuild ?? [];
      if (triggers.length === 0) return output;
      const { kind, name } = image.node.rule;
      const text = `The base of ${imageTitle(kind, name)} has ONBUILD triggers, which are not run: ${
        triggers.join("; ")
      }`;
      this.inputs.emit({ type: "note", level: "warn", text });
      return withoutTriggers(output);
    }
    const delta: StageDelta = await worker.work({
      image,
      stage,
      at: refOf(image, stage),
      parent,
      others,
      followed: isFollowed(image, stage),
      introspector: this.#introspector,
      forced: this.inputs.forced.has(stage.signature),
      placed: this.#placed(image, stage, turn),
      ran: turn.leave,
      registry,
    });
    return addDelta(parent, delta, { created, text: describe(stage) });
  }

  /** Who is told where a stage is built. */
  #placed(image: SignedImage, stage: SignedStage, turn: Turn): (place: StepPlace) => void {
    const { ledger, emit } = this.inputs;
    return (place) => {
      turn.enter(); // its commands run again when what they changed was lost with a daemon
      ledger.place(stage.signature, place);
      if (place.address === undefined) return;
      emit({ type: "stage.placed", at: refOf(image, stage), signature: stage.signature, place });
    };
  }

  /**
   * The image, once its layers are in the store and those of the base are found to be what it says, and the same holds
   * for all that it was made of.
   */
  async #store(
    image: SignedImage,
    stage: SignedStage,
    made: readonly StageOutput[],
    output: MadeOutput,
  ): Promise<ImageState> {
    const state = await settleImage(output);
    const { rule } = image.node;
    if (stage.spec.work.kind === "from" && !isOwn(rule.base)) {
      await this.inputs.worker.requireBase(rule, output.layers, image.stages.some(runsCommands));
    }
    await Promise.all(made.map(({ stored }) => stored));
    return state;
  }

  /** Keeps the record, beside those of the stages before it, since each waits for the disk. */
  async #save(
    image: SignedImage,
    stage: SignedStage,
    parent: StageOutput | undefined,
    output: MadeOutput & Pick<StageOutput, "stored">,
    { waitingMs, runningMs }: Pick<StageTimes, "waitingMs" | "runningMs">,
  ): Promise<StageRecord> {
    const { store, worker, emit, project, commit, ledger } = this.inputs;
    const at = refOf(image, stage);
    const { signature } = stage;
    const start = wholeMs();
    try {
      const listings = observed(worker.saveListings(image, stage));
      const below = new Set(parent?.layers ?? output.below);
      await Promise.all(output.layers.filter((layer) => !below.has(layer)).map(describeLayer));
      const made = wholeMs();
      // Those before it may be slower; that is their time.
      const state = await output.stored;
      const lower = await Promise.all((parent?.layers ?? output.below ?? []).map(describeLayer));
      const before = new Set(lower.map((layer) => layer.digest));
      const waited = parent ? wholeMs() - made : 0;
      await listings;
      const adds = parent !== undefined || output.below !== undefined;
      const addedBytes = state.layers.filter((l) => adds && !before.has(l.digest)).reduce(
        (sum, l) => sum + l.size,
        0,
      );
      const builtBy = ledger.placeOf(signature);
      const record = stageRecord(image, stage, {
        image: state,
        trees: output.trees,
        project,
        commit,
        buildMs: runningMs,
        ...(builtBy && { builtBy }),
        addedBytes,
      });
      const isWanted = this.#wanted.has(image.node.key) && stage === lastStage(image);
      await Promise.all([store.stages.put(record), isWanted && keepDocuments(state, store)]);
      await store.stages.addHistory(project, image.node.key, stage.spec.name, stage.signature);
      const savingMs = wholeMs() - start - waited;
      await parent?.saved;
      this.built++;
      this.builtByImage.set(image.node.key, (this.builtByImage.get(image.node.key) ?? 0) + 1);
      const times = { ms: runningMs + savingMs, runningMs, savingMs, waitingMs: waitingMs + waited };
      ledger.end(signature, { state: "built", ...times });
      emit({ type: "stage.finished", at, signature, ...times, size: addedBytes });
      this.inputs.shared.saved(image, stage, record);
      return record;
    } catch (error) {
      this.#fail(at, stage, error);
      throw error;
    }
  }

  #fail(at: StageRef, { signature }: SignedStage, error: unknown): void {
    const { signal, stop, ledger, emit } = this.inputs;
    if (error instanceof NotStarted) return;
    ledger.end(signature);
    if (stop?.signal.aborted) return emit({ type: "stage.stopped", at, signature });
    if (signal.aborted) return;
    const first = this.#failure === undefined;
    this.#failure ??= { error };
    const { running, notStarted } = ledger;
    const message = messageOf(error);
    emit({ type: "stage.failed", at, signature, message, ...(first && { running, notStarted }) });
    stop?.abort(error);
  }
}

/** What a stage is now; `below` are layers that it has from elsewhere, where no stage before it has them. */
type MadeOutput = GrownImage & { readonly below?: readonly LayerRef[] };

/** Whether a builder makes the stage, and another run may have made it meanwhile. */
function isBuilt({ spec: { work: { kind } } }: SignedStage): boolean {
  return kind === "run" || kind === "dockerfile";
}

function runsCommands({ spec: { work } }: SignedStage): boolean {
  return work.kind === "run" && work.commands.length > 0;
}

/** Whether a later stage of the image runs commands. */
function isFollowed({ stages }: SignedImage, stage: SignedStage): boolean {
  return stages.slice(stages.indexOf(stage) + 1).some(runsCommands);
}

/** The text of `docker history`: the same for the same stage. */
function describe(stage: SignedStage): string {
  const { work } = stage.spec;
  if (work.kind !== "run") return `dapp ${stage.spec.name}`;
  const commands = work.commands.join(" && ").replaceAll(/\s+/g, " ");
  return `dapp ${stage.spec.name}: ${commands.length > 200 ? commands.slice(0, 199) + "…" : commands}`;
}
