import type { RegistryClient } from "./client.ts";
import type { RegistryError } from "./errors.ts";

/** Bytes of a chunk, tried in turn where a blob is not taken whole. GHCR takes no larger ones than the first. */
const CHUNKS = [4 * 1024 * 1024, 512 * 1024];
/**
 * Answers that the same request will get again. To a whole blob, Artifactory 6 gives 404 BLOB_UNKNOWN, proxies 405 or
 * 411, where chunks are taken; to chunks, registries that know of none.
 */
const REFUSALS = [400, 404, 405, 411, 413, 415, 416, 501, 505];

/** Bytes of the smallest blob that a registry took in chunks alone: none as large is sent to it whole again. */
const chunked = new WeakMap<RegistryClient, number>();

/** Whether a request was refused for what it is, whoever sends it. */
export function isRefusal({ kind, details: { status = 0 } }: RegistryError): boolean {
  return kind !== "full" && REFUSALS.includes(status);
}

/** The parts that a blob is sent in: whole where a registry takes that, else in chunks, which become smaller. */
export class PartSizes {
  readonly #client: RegistryClient;
  readonly #blob: number;
  #sizes: readonly (number | undefined)[];
  #refusal: RegistryError | undefined;

  /** @param chunk bytes to begin with */
  constructor(client: RegistryClient, blob: number, chunk: number | undefined) {
    this.#client = client;
    this.#blob = blob;
    const whole = chunk === undefined && blob < (chunked.get(client) ?? Infinity);
    this.#sizes = whole ? [undefined, ...CHUNKS] : [...(chunk === undefined ? [] : [chunk]), ...CHUNKS];
  }

  /** Whether all is sent in one request. */
  get whole(): boolean {
    return this.#sizes[0] === undefined;
  }

  /** Whether a part has more bytes than chunks do. */
  get isLarge(): boolean {
    return this.#part > CHUNKS[0]!;
  }

  /** Bytes of a part, but for the last. */
  get #part(): number {
    return Math.min(this.#sizes[0] ?? Infinity, this.#blob);
  }

  /** Where the chunk ends that begins at `from`. None is smaller than `least`, unless all of the blob is. */
  end(from: number, least: number): number {
    const to = from + Math.max(this.#part, least);
    return this.#blob - to < Math.max(least, 1) ? this.#blob : to;
  }

  /**
   * Goes on in smaller parts.
   *
   * @param error why the ones so far were not taken; thrown, by its {@linkcode reason}, when there are no smaller ones
   * @param least bytes that a chunk must have
   */
  shrink(error: RegistryError, least: number): void {
    const { status } = error.details;
    const sizes = this.#sizes.slice(1);
    // What is too large whole, or as a chunk, is so in chunks that are no smaller.
    const smaller = this.#part > least ? sizes.filter((size) => size! < this.#part) : [];
    const next = status === 413 || (status === 416 && !this.whole) ? smaller : this.whole ? sizes : [];
    if (next.length === 0) throw this.reason(error);
    this.#sizes = next;
    this.#refusal ??= error;
  }

  /** What to say of a failure: where chunks are not known at all, why the blob was not taken whole. */
  reason(error: RegistryError): RegistryError {
    return this.#refusal && isRefusal(error) ? this.#refusal : error;
  }

  /** The blob has arrived: others are sent in the same way. */
  arrived(): void {
    if (!this.#refusal) return;
    const { status } = this.#refusal.details;
    // What never arrived whole was tried several times: what would make several chunks is not tried so again.
    const from = status === 413 ? this.#blob : isRefusal(this.#refusal) ? 0 : CHUNKS[0]! + 1;
    chunked.set(this.#client, Math.min(from, chunked.get(this.#client) ?? Infinity));
  }
}
