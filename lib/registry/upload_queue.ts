import { Lanes } from "../lanes.ts";
import type { RegistryClient } from "./client.ts";

const queues = new WeakMap<RegistryClient, UploadQueue>();

/** The queue of a client. */
export function uploadQueue(client: RegistryClient): UploadQueue {
  let queue = queues.get(client);
  if (!queue) queues.set(client, queue = new UploadQueue());
  return queue;
}

/** Bounds how many blobs are sent at once, and lets nobody send what somebody else is sending to the same place. */
export class UploadQueue {
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #lanes = new Lanes();

  /**
   * Runs `work`, which sends so many `bytes`, in its turn. While the same `key` is under way it waits for that, and takes
   * `done` as the answer when it ends well; when it fails, `work` is run after all.
   */
  async run<T>(key: string, work: () => Promise<T>, options: {
    readonly bytes: number;
    readonly done: T;
    readonly signal: AbortSignal;
  }): Promise<T> {
    for (let other; (other = this.#running.get(key)) !== undefined;) {
      if (await settled(other, options.signal)) return options.done;
    }
    const running = this.#lanes.run(options.bytes, work, options.signal);
    this.#running.set(key, running);
    try {
      return await running;
    } finally {
      this.#running.delete(key);
    }
  }
}

/** Whether a promise ends well. @throws the signal's reason when that is aborted before */
async function settled(promise: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const stop = () => reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([promise.then(() => true, () => false), aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
