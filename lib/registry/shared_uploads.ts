import { settled } from "./settled.ts";
import type { RegistryClient } from "./client.ts";

const uploads = new WeakMap<RegistryClient, SharedUploads>();

/** What a client is sending. */
export function sharedUploads(client: RegistryClient): SharedUploads {
  let shared = uploads.get(client);
  if (!shared) uploads.set(client, shared = new SharedUploads());
  return shared;
}

/** Lets nobody send what somebody else is sending to the same place. How many are sent at once is their caller's affair. */
export class SharedUploads {
  readonly #running = new Map<string, Promise<unknown>>();

  /**
   * Runs `work`. While the same `key` is under way it waits for that, and takes `done` as the answer when it ends well;
   * when it fails, `work` is run after all.
   */
  async run<T>(
    key: string,
    work: () => Promise<T>,
    { done, signal }: { readonly done: T; readonly signal: AbortSignal },
  ): Promise<T> {
    for (let other; (other = this.#running.get(key)) !== undefined;) {
      if (await settled(other, signal)) return done;
    }
    const running = work();
    this.#running.set(key, running);
    try {
      return await running;
    } finally {
      this.#running.delete(key);
    }
  }
}
