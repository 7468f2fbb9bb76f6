/** Large gzip streams, as layers are. */
import { DecompressError } from "./error.ts";
import { observed } from "../pool.ts";
import { gzipHeaderLength } from "./gzip_header.ts";
import { IsalInflater } from "./isal.ts";
import { requireZeros } from "./zeros.ts";

export interface GunzipOptions {
  /** Pieces are valid until the next one is asked for, no longer. */
  readonly fleeting?: boolean;
}

/** Loads what {@linkcode gunzip} takes. */
export async function prepareGunzip(): Promise<void> {
  using inflater = await IsalInflater.create();
  if (!inflater) await import("./decompress.ts");
}

/**
 * Uncompressed bytes of a gzip stream of one or more members, which may be padded with zeros.
 * The source may be fleeting, too.
 *
 * @throws {DecompressError} also where something follows the zeros, which programs take for another member or pass over, so
 *   that one file would have several contents
 */
export async function* gunzip(
  source: AsyncIterable<Uint8Array>,
  options: GunzipOptions = {},
): AsyncGenerator<Uint8Array> {
  using inflater = await IsalInflater.create();
  if (inflater) yield* ahead(members(source, inflater, options));
  else yield* byZlib(source, options);
}

/** The next piece is made while the last one is worked on. */
async function* ahead(pieces: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    for (let next = pieces.next();;) {
      const { done, value } = await next;
      if (done) return;
      next = observed(pieces.next());
      yield value;
    }
  } finally {
    await pieces.return(undefined);
  }
}

/** A fleeting piece is valid until the next but one is asked for. */
async function* members(
  source: AsyncIterable<Uint8Array>,
  inflater: IsalInflater,
  { fleeting }: GunzipOptions,
): AsyncGenerator<Uint8Array> {
  await using input = new Input(source);
  for (let first = true;; first = false) {
    const header = await headerIn(input);
    if (!first && input.rest.length === 0) return;
    if (!first && input.rest[0] === 0) return await onlyZeros(input);
    // It is damaged, or rare: zlib knows. Its fleeting pieces would not last long enough.
    if (header === undefined) return yield* byZlib(input.remaining(), {});
    input.take(header);
    inflater.start();
    while (!inflater.ended) {
      if (!await input.any()) {
        throw new DecompressError("Cannot decompress gzip data: unexpected end of file");
      }
      const pieces = inflater.inflate(input.rest);
      let next = await pieces.next();
      for (; !next.done; next = await pieces.next()) yield fleeting ? next.value : next.value.slice();
      input.take(next.value);
    }
  }
}

async function* byZlib(
  source: AsyncIterable<Uint8Array>,
  options: GunzipOptions,
): AsyncGenerator<Uint8Array> {
  const { gunzipByZlib } = await import("./decompress.ts");
  yield* gunzipByZlib(source, options);
}

async function onlyZeros(input: Input): Promise<void> {
  for await (const piece of input.remaining()) requireZeros(piece);
}

/** A header that is longer is none that anybody writes. */
const LONGEST_HEADER = 128 * 1024;

/** Length of the header that comes next; undefined when it is none, is cut, or has something in it that is rare. */
async function headerIn(input: Input): Promise<number | undefined> {
  for (;;) {
    const length = gzipHeaderLength(input.rest);
    if (length === "strange") return undefined;
    if (length !== "more") return length;
    if (input.rest.length > LONGEST_HEADER || !await input.more()) return undefined;
  }
}

/** What has not been read of a source. */
class Input implements AsyncDisposable {
  readonly #pieces: AsyncIterator<Uint8Array>;
  /** Of the piece that came last. */
  rest: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#pieces = source[Symbol.asyncIterator]();
  }

  take(length: number): void {
    this.rest = this.rest.subarray(length);
  }

  /** Adds to the rest. False at the end. */
  async more(): Promise<boolean> {
    const before = this.rest.slice(); // the source may use its memory again
    const next = await this.#pieces.next();
    this.rest = before;
    if (next.done) return false;
    this.rest = next.value;
    if (before.length === 0) return true;
    this.rest = new Uint8Array(before.length + next.value.length);
    this.rest.set(before);
    this.rest.set(next.value, before.length);
    return true;
  }

  /** Whether there is a byte to be read. */
  async any(): Promise<boolean> {
    while (this.rest.length === 0) if (!await this.more()) return false;
    return true;
  }

  async *remaining(): AsyncGenerator<Uint8Array> {
    for (; await this.any(); this.rest = this.rest.subarray(this.rest.length)) yield this.rest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pieces.return?.();
  }
}
