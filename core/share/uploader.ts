import type { EventSink } from "../contract/events.ts";
import { Lanes } from "../../lib/lanes.ts";
import { observed } from "../../lib/pool.ts";
import type { OutgoingBlob, Repository } from "../contract/registry.ts";
import type { Memo } from "../contract/store.ts";
import { shown, transferring } from "../layers/transfers.ts";
import type { TransferCount } from "../contract/results.ts";
import { isListOf, isText } from "../../lib/guard.ts";
import type { Digest } from "../../lib/oci/digest.ts";
import { isSameRegistry, Losses } from "../layers/losses.ts";

const MEMO = "blob-places";
/** Repositories that are remembered for a blob, newest first. */
const PLACES = 8;
const isPlaces = isListOf(isText);

/** A blob to be sent, which may have to be brought first. */
export interface SentBlob extends OutgoingBlob {
  /** Brings it here unless it is: false. Asked when the repository takes it over from nowhere. */
  bring?(): Promise<boolean>;
}

/**
 * Sends blobs, each once to each repository in one run, and counts what it took. Remembers where blobs are, so that a
 * registry takes over what another repository of it has: what two images share is sent once. What a registry is known to
 * have lost is sent to it whatever it says.
 */
export class BlobUploader {
  /** Bounds what is sent at once, to whatever registries. */
  readonly #lanes = new Lanes();
  readonly #sent = new Map<string, Promise<unknown>>();
  /** The last of the sendings of a blob, to whatever repository. */
  readonly #sending = new Map<Digest, Promise<unknown>>();
  /** Repositories that turned out to lack what they were said to have: nothing is taken over there any more, but sent. */
  readonly #doubted = new Set<string>();
  /** Where the blobs that were sent are. */
  readonly #places = new Map<Digest, readonly string[]>();
  /** The same, on its way to the memo: nobody who names the blobs waits for that. */
  readonly #notes: Promise<void>[] = [];
  /** What a manifest of the repository names, and nobody asked for. */
  readonly #named = new Set<string>();
  /** What is being sent since the registry has lost it. */
  readonly #mending = new Set<string>();
  /** What repositories surely have, by this run. */
  readonly #seen = new Set<string>();
  readonly #count = { uploaded: 0, mounted: 0, present: 0 };

  constructor(
    readonly emit: EventSink,
    readonly signal: AbortSignal,
    readonly memo: Memo,
    readonly losses: Losses = new Losses(),
  ) {}

  get count(): TransferCount {
    return { ...this.#count };
  }

  /** Settles when the repository has the blob; gives the bytes that were sent for this call. */
  async send(repository: Repository, blob: SentBlob): Promise<number> {
    const key = keyOf(repository, blob.digest);
    // Nobody else has it: that a manifest names it does not say that it can be read.
    const doubtful = this.#named.delete(key) && blob.bring !== undefined;
    const anew = this.losses.lacks(blob.digest, repository.name) && !this.#mending.has(key);
    const known = anew || doubtful ? undefined : this.#sent.get(key);
    if (known) return await known, 0;
    if (anew) this.#mending.add(key);
    const before = this.#sending.get(blob.digest);
    const sent = observed(
      doubtful ? this.#verify(repository, blob, before) : this.#inTurn(repository, blob, before),
    );
    this.#sent.set(key, sent);
    this.#sending.set(blob.digest, sent);
    try {
      return await sent;
    } catch (error) {
      this.#sent.delete(key); // whoever needs it next tries again
      this.#mending.delete(key);
      throw error;
    }
  }

  /** Settles when it is remembered where all is that was sent. */
  async noted(): Promise<void> {
    await Promise.all(this.#notes.splice(0));
  }

  /** Notes blobs that are there because a manifest of the repository names them. */
  known(repository: Repository, digests: readonly Digest[]): void {
    for (const digest of digests) {
      const key = keyOf(repository, digest);
      if (this.#sent.has(key)) continue;
      this.#sent.set(key, Promise.resolve());
      this.#named.add(key);
    }
  }

  /** Forgets what is known of a repository that turned out to lack a blob. */
  forget(repository: Repository): void {
    this.#doubted.add(repository.name);
    for (const key of this.#sent.keys()) if (key.startsWith(`${repository.name}@`)) this.#sent.delete(key);
  }

  /** Sends a blob that is said to be there unless it can be read. */
  async #verify(
    repository: Repository,
    blob: SentBlob,
    before: Promise<unknown> | undefined,
  ): Promise<number> {
    const { digest, size } = blob;
    const probe = repository.probe?.bind(repository);
    const io = { signal: this.signal, report: () => {} };
    const state = probe &&
      await this.#lanes.run(0, () => probe({ digest, size }, { whole: false }, io), this.signal);
    if (state === undefined || state === "there") return 0;
    this.losses.lost(digest, repository.name);
    this.#mending.add(keyOf(repository, digest));
    return await this.#inTurn(repository, blob, before);
  }

  /** One after another to all repositories: once it is in the first, the others can take it from there. */
  async #inTurn(
    repository: Repository,
    blob: SentBlob,
    before: Promise<unknown> | undefined,
  ): Promise<number> {
    await before?.catch(() => {});
    return await this.#lanes.run(blob.size, () => this.#send(repository, blob), this.signal);
  }

  async #send(repository: Repository, { from = [], bring, ...content }: SentBlob): Promise<number> {
    const { emit, signal, memo } = this;
    signal.throwIfAborted();
    const places = this.#places.get(content.digest) ?? await memo.get(MEMO, content.digest, isPlaces) ?? [];
    const anew = this.losses.lacks(content.digest, repository.name);
    const known = nearest(places, repository.name);
    // What is known makes guesses needless: each costs a request.
    const doubted = this.#doubted.has(repository.name);
    const isNew = !places.includes(repository.name);
    const origins = known.length > 0 ? known : from;
    const blob = {
      ...content,
      isNew: isNew && !doubted,
      from: doubted ? [] : origins,
      ...(anew && { anew }),
      ...(origins.every((place) => this.#seen.has(`${place}@${content.digest}`)) && { sure: true }),
    };
    const id = `push ${keyOf(repository, blob.digest)}`;
    const what = `pushing ${blob.digest.slice(7, 19)} to ${repository.name}`;
    const how = await transferring(emit, async (progress) => {
      const tell = shown(progress);
      const io = { signal, report: (done: number) => tell(id, what, done, blob.size) };
      return await repository.upload(blob, io).catch(async (error) => {
        if (signal.aborted || !await bring?.()) throw error;
        return await repository.upload(blob, io);
      });
    }, { signal, confirmed: true });
    this.#count[how] += blob.size;
    this.#seen.add(keyOf(repository, blob.digest));
    if (anew) this.losses.mended(blob.digest, repository.name);
    // What the registry has lost, other repositories of it have lost as well.
    const others = places.filter((name) =>
      name !== repository.name && !(anew && isSameRegistry(name, repository.name))
    );
    const now = [repository.name, ...others].slice(0, PLACES);
    if (isNew || anew) {
      this.#places.set(blob.digest, now);
      this.#notes.push(observed(memo.put(MEMO, blob.digest, now)));
    }
    return how === "uploaded" ? blob.size : 0;
  }
}

/** The place that shares most of its path with `name`, registry and first name at least: others may be forbidden. */
function nearest(places: readonly string[], name: string): readonly string[] {
  const parts = name.split("/");
  const shared = (place: string) => {
    const other = place.split("/");
    const end = parts.findIndex((part, i) => part !== other[i]);
    return end < 0 ? parts.length : end;
  };
  const others = places.filter((place) => place !== name && shared(place) > 1);
  return others.toSorted((a, b) => shared(b) - shared(a)).slice(0, 1);
}

function keyOf(repository: Repository, digest: Digest): string {
  return `${repository.name}@${digest}`;
}
