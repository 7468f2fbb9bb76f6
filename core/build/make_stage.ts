import { observed, Pool, type Turn } from "../../lib/pool.ts";
import type { EventSink } from "../contract/events.ts";
import type { StageRecord } from "../contract/store.ts";
import type { Elsewhere } from "../layers/elsewhere.ts";
import { outputOf, type StageOutput } from "../layers/stage_output.ts";
import { compareStage, type PlanInputs } from "../plan/plan.ts";
import type { LiveCache } from "../share/live_cache.ts";
import { stageTitle } from "../sign/graph.ts";
import { needsBuilder } from "../sign/needs_builder.ts";
import type { SignedImage, SignedStage } from "../sign/sign.ts";
import type { BuildProgress } from "./build_progress.ts";
import { historyLine } from "./history_line.ts";
import { type SaveNeeds, saveStage, storeOutput } from "./save_stage.ts";
import { StageProgress } from "./stage_progress.ts";
import type { BuildTask, MadeOutput, WorkTask } from "./stage_task.ts";
import type { StageWorker } from "./stage_work.ts";

/** What making stages takes. */
export interface MakeNeeds extends SaveNeeds, PlanInputs {
  readonly store: PlanInputs["store"];
  readonly project: string;
  readonly worker: StageWorker;
  readonly emit: EventSink;
  /** Ends the build. */
  readonly signal: AbortSignal;
  /** Stages that may be made at once. */
  readonly parallel: number;
  readonly lockTimeoutMs: number;
  readonly epoch: number;
  /** Stages that others build meanwhile, and whoever wants to know of those built here. */
  readonly shared: {
    /** The stage in the store, if somebody has published it by now. */
    take(image: SignedImage, stage: SignedStage): Promise<StageRecord | undefined>;
    saved(image: SignedImage, stage: SignedStage, record: StageRecord): void;
    /** REPO for a stage upon another one; undefined when stages are not published. */
    registryFor(task: Parameters<LiveCache["registryFor"]>[0]): WorkTask["registry"];
    /** Layers that registries have. */
    readonly elsewhere: Elsewhere | undefined;
  };
}

/** Makes single stages, some of them at once. What others have made meanwhile is taken instead. */
export class StageMaker {
  readonly #pool: Pool;

  constructor(readonly needs: MakeNeeds, readonly progress: BuildProgress) {
    this.#pool = new Pool(needs.parallel);
  }

  /** Changes how many stages may be made at once. */
  resize(parallel: number): void {
    this.#pool.resize(parallel);
  }

  /** Makes a stage, unless it is there by now, and begins to save it. Others wait meanwhile, here and in other processes. */
  async make(task: BuildTask): Promise<StageOutput> {
    const { image, stage } = task;
    const { store, worker, shared } = this.needs;
    const progress = new StageProgress(this.progress, image, stage);
    await using held = new AsyncDisposableStack();
    held.use(await this.#lock(task, progress));
    held.defer(() => progress.end());
    try {
      const found = task.forced ? undefined : await store.stages.whole(stage.signature);
      if (found) {
        progress.reuse("built meanwhile");
        shared.saved(image, stage, found); // that process may not publish it
        return outputOf(found);
      }
      await worker.ready(task, (reason) => progress.wait(reason));
      if (this.#pool.full) {
        progress.wait(`until one of ${this.#pool.size} running stages ends (--parallel)`);
      }
      const made = await this.#pool.run((turn) => this.#take(task, progress, turn));
      if ("taken" in made) {
        progress.fetch();
        return outputOf(made.taken, shared.elsewhere);
      }
      progress.save();
      return this.#save(task, made, progress, held.move());
    } catch (error) {
      progress.fail(error);
      throw error;
    }
  }

  /** Waits until no other process makes the stage. */
  #lock({ stage: { signature }, at }: BuildTask, progress: StageProgress): Promise<AsyncDisposable> {
    const { store, emit, signal, lockTimeoutMs } = this.needs;
    return store.locks.take(`stage ${signature}`, {
      timeoutMs: lockTimeoutMs,
      signal,
      onWait: (holder) => {
        emit({ type: "lock.waiting", resource: stageTitle(at), holder });
        progress.wait(`for ${holder}`);
      },
    });
  }

  /** A stage whose turn it is: as others have published it by now, or made. */
  async #take(
    task: BuildTask,
    progress: StageProgress,
    turn: Turn,
  ): Promise<MadeOutput | { readonly taken: StageRecord }> {
    const { image, stage, forced } = task;
    const { worker, signal, shared } = this.needs;
    signal.throwIfAborted();
    this.progress.requireUnbroken();
    // Whoever did not wait has just been told that nobody has it.
    const late = (task.late || progress.waited) && needsBuilder(stage) && !forced;
    const taken = late ? await shared.take(image, stage) : undefined;
    if (taken) return { taken };
    const { reason } = await compareStage(image, stage, this.needs);
    progress.start(reason);
    await worker.shells.before(task);
    progress.run();
    return await worker.make(this.#workTask(task, progress, turn));
  }

  #workTask(task: BuildTask, progress: StageProgress, turn: Turn): WorkTask {
    const { image, stage, parent } = task;
    const { shared, epoch } = this.needs;
    const line = historyLine(stage, epoch);
    const before = image.stages[image.stages.indexOf(stage) - 1];
    return {
      ...task,
      line,
      registry: shared.registryFor({
        image,
        stage,
        entry: line,
        ...(parent && before && { parent: { stage: before, saved: parent.saved } }),
      }),
      placed: (place) => {
        turn.enter(); // its commands run again when what they changed was lost with a daemon
        progress.place(place);
      },
      ran: turn.leave,
    };
  }

  /** Begins to save a stage; `held` is let go of once it is. */
  #save(
    task: BuildTask,
    made: MadeOutput,
    progress: StageProgress,
    held: AsyncDisposable,
  ): StageOutput {
    const output = { ...made, stored: observed(storeOutput(this.needs, task, made)) };
    const save = async () => {
      await using _ = held;
      try {
        const record = await saveStage(this.needs, task, output, progress);
        this.needs.shared.saved(task.image, task.stage, record);
        return record;
      } catch (error) {
        progress.fail(error);
        throw error;
      }
    };
    return { ...output, saved: observed(save()) };
  }
}
