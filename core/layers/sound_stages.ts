import type { Signature } from "../contract/signature.ts";
import { EngineError } from "../contract/errors.ts";
import type { EventSink } from "../contract/events.ts";
import type { HistoryRow, StageRecord, Stages, Store } from "../contract/store.ts";
import type { LayerContents } from "./contents.ts";

/** A store that gives no stage whose layers nobody has looked into. */
export function soundStore(store: Store, io: SoundIo): Store {
  const { path, blobs, memo, locks, housekeeping } = store;
  return {
    path,
    blobs,
    stages: new SoundStages(store, io),
    memo,
    locks,
    housekeeping,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

interface SoundIo {
  readonly emit: EventSink;
  readonly signal: AbortSignal;
}

/**
 * Stages as they may be used. One that was taken from a registry as it is (`unseen`) is looked into when it is asked for
 * first: what does not hold what its image says is forgotten, and made again by who needs it.
 */
class SoundStages implements Stages {
  readonly #store: Store;
  readonly #io: SoundIo;
  #contents: LayerContents | undefined;
  readonly #looking = new Map<Signature, Promise<StageRecord | undefined>>();

  constructor(store: Store, io: SoundIo) {
    this.#store = store;
    this.#io = io;
  }

  async whole(signature: Signature): Promise<StageRecord | undefined> {
    const record = await this.#store.stages.whole(signature);
    if (!record?.unseen) return record;
    let looking = this.#looking.get(signature);
    if (!looking) {
      looking = this.#look(record).finally(() => this.#looking.delete(signature));
      this.#looking.set(signature, looking);
    }
    return await looking;
  }

  async #look(record: StageRecord): Promise<StageRecord | undefined> {
    const { emit, signal } = this.#io;
    const title = `stage ${record.stage} (${record.signature.slice(0, 12)})`;
    const { LayerContents } = await import("./contents.ts"); // few runs need it
    this.#contents ??= new LayerContents(this.#store);
    try {
      await this.#contents.require(record.image.layers, title, signal, { afresh: true });
    } catch (error) {
      if (!(error instanceof EngineError) || signal.aborted) throw error;
      await this.#store.housekeeping.forget(record.signature);
      emit({ type: "note", level: "warn", text: `Stage ${record.stage} is not used: ${error.message}` });
      return undefined;
    }
    return await putSeen(this.#store, record);
  }

  record(signature: Signature): Promise<StageRecord | undefined> {
    return this.#store.stages.record(signature);
  }

  all(): AsyncIterable<StageRecord> {
    return this.#store.stages.all();
  }

  put(record: StageRecord): Promise<void> {
    return this.#store.stages.put(record);
  }

  history(project: string, image: string, stage: string): Promise<readonly HistoryRow[]> {
    return this.#store.stages.history(project, image, stage);
  }

  addHistory(project: string, image: string, stage: string, signature: Signature): Promise<void> {
    return this.#store.stages.addHistory(project, image, stage, signature);
  }
}

/** Makes sure that the layers of a stage outlive a failure of the machine. */
export async function settleLayers({ blobs }: Store, { image }: Pick<StageRecord, "image">): Promise<void> {
  await Promise.all(image.layers.map(({ digest }) => blobs.settle?.(digest)));
}

/** Keeps that the layers of a stage hold what its image says; from now on they outlive a failure of the machine. */
export async function putSeen(store: Store, { unseen: _, ...record }: StageRecord): Promise<StageRecord> {
  await settleLayers(store, record);
  await store.stages.put(record);
  return record;
}
