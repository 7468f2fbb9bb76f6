import { DecompressError } from "./error.ts";

/** Asks for `bytes` more; those to be looked at are kept. */
type Ask = { readonly bytes: number; readonly keep: boolean };

const read = (bytes: number): Ask => ({ bytes, keep: true });
const pass = (bytes: number): Ask => ({ bytes, keep: false });

/** Walks the structure of one frame (RFC 8878, 3.1) and ends behind its last byte. */
function* frameLayout(): Generator<Ask, void, Uint8Array> {
  const magic = little(yield read(4), 4);
  if (magic >= 0x184d2a50 && magic <= 0x184d2a5f) {
    const size = little(yield read(4), 4);
    if (size > 0) yield pass(size);
    return;
  }
  if (magic !== 0xfd2fb528) {
    throw new DecompressError("Cannot decompress zstd data: something else follows a frame");
  }
  const descriptor = (yield read(1))[0]!;
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryId = [0, 1, 2, 4][descriptor & 3]!;
  const contentSize = [singleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const header = (singleSegment ? 0 : 1) + dictionaryId + contentSize;
  if (header > 0) yield pass(header);
  for (let last = false; !last;) {
    const block = little(yield read(3), 3);
    last = (block & 1) !== 0;
    const type = (block >> 1) & 3;
    if (type === 3) throw new DecompressError("Cannot decompress zstd data: a block has a reserved type");
    const size = type === 1 ? 1 : block >> 3; // type 1 repeats one byte
    if (size > 0) yield pass(size);
  }
  if (descriptor & 4) yield pass(4); // checksum
}

/** Cuts a zstd stream into its frames, because the decoder of node:zlib stops after the first one. */
export class ZstdFrameSplitter {
  readonly #source: AsyncIterator<Uint8Array>;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The bytes of the next frame, to be read to the end before the next call; undefined after the last frame. */
  async nextFrame(): Promise<AsyncIterable<Uint8Array> | undefined> {
    return await this.#fill() ? this.#frame() : undefined;
  }

  /** Lets go of the source. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async *#frame(): AsyncGenerator<Uint8Array> {
    const layout = frameLayout();
    const kept = new Uint8Array(4);
    let have = 0;
    for (let ask = layout.next(kept); !ask.done;) {
      if (!await this.#fill()) {
        throw new DecompressError("Cannot decompress zstd data: it ends in the middle of a frame");
      }
      const start = this.#at;
      while (!ask.done && this.#at < this.#chunk.length) {
        const part = this.#chunk.subarray(this.#at, this.#at + ask.value.bytes - have);
        if (ask.value.keep) kept.set(part, have);
        this.#at += part.length;
        have += part.length;
        if (have === ask.value.bytes) {
          ask = layout.next(kept);
          have = 0;
        }
      }
      yield this.#chunk.subarray(start, this.#at);
    }
  }

  /** Whether a byte is there. */
  async #fill(): Promise<boolean> {
    while (this.#at === this.#chunk.length) {
      const next = await this.#source.next();
      if (next.done) return false;
      this.#chunk = next.value;
      this.#at = 0;
    }
    return true;
  }
}

function little(bytes: Uint8Array, count: number): number {
  let value = 0;
  for (let i = count - 1; i >= 0; i--) value = value * 256 + bytes[i]!;
  return value;
}
