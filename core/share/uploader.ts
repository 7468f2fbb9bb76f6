import type { EventSink } from "../contract/events.ts";
import { observed, Pool } from "../../lib/pool.ts";
import type { OutgoingBlob, Repository } from "../contract/registry.ts";
import { SHOWN_BYTES } from "../layers/transfers.ts";
import type { TransferCount } from "../contract/results.ts";
import type { Digest } from "../../lib/oci/digest.ts";

/** Blobs sent at once, to all repositories together. */
const PARALLEL = 4;

/** Sends blobs, each once to each repository in one run, and counts what it took. */
export class BlobUploader {
  readonly #pool = new Pool(PARALLEL);
  readonly #sent = new Map<string, Promise<unknown>>();
  readonly #count = { uploaded: 0, mounted: 0, present: 0 };

  constructor(readonly emit: EventSink, readonly signal: AbortSignal) {}

  get count(): TransferCount {
    return { ...this.#count };
  }

  /** Settles when the repository has the blob; gives the bytes that were sent for this call. */
  async send(repository: Repository, blob: OutgoingBlob): Promise<number> {
    const key = keyOf(repository, blob.digest);
    const known = this.#sent.get(key);
    if (known) return await known, 0;
    const sent = observed(this.#pool.run(() => this.#send(repository, blob)));
    this.#sent.set(key, sent);
    try {
      return await sent;
    } catch (error) {
      this.#sent.delete(key); // whoever needs it next tries again
      throw error;
    }
  }

  /** Notes blobs that are there because a manifest of the repository names them. */
  known(repository: Repository, digests: readonly Digest[]): void {
    for (const digest of digests) this.#sent.set(keyOf(repository, digest), Promise.resolve());
  }

  /** Forgets what is known of a repository that turned out to lack a blob. */
  forget(repository: Repository): void {
    for (const key of this.#sent.keys()) if (key.startsWith(`${repository.name}@`)) this.#sent.delete(key);
  }

  async #send(repository: Repository, blob: OutgoingBlob): Promise<number> {
    const { emit, signal } = this;
    signal.throwIfAborted();
    const id = `push ${keyOf(repository, blob.digest)}`;
    const start = performance.now();
    let shown = false;
    const how = await repository.upload(blob, {
      signal,
      report: (done) => {
        if (blob.size < SHOWN_BYTES) return;
        if (!shown) {
          const what = `pushing ${blob.digest.slice(7, 19)} to ${repository.name}`;
          emit({ type: "transfer.started", id, what, total: blob.size });
        }
        shown = true;
        emit({ type: "transfer.progress", id, done, total: blob.size });
      },
    });
    this.#count[how] += blob.size;
    if (shown) {
      emit({ type: "transfer.finished", id, done: blob.size, ms: Math.round(performance.now() - start) });
    }
    return how === "uploaded" ? blob.size : 0;
  }
}

function keyOf(repository: Repository, digest: Digest): string {
  return `${repository.name}@${digest}`;
}
