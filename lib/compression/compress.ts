import { BLOCK_SIZE, GZIP_HEADER, gzipTrailer, openCodec } from "./codec.ts";
import { type Compression, WORKER_THRESHOLD } from "./format.ts";
import { checksum } from "./loops.ts";
import { BlockPool } from "./pool.ts";

export interface CompressorOptions {
  readonly compression: Compression;
  /** Most Workers to use; 0 compresses on this thread, as do inputs below {@linkcode WORKER_THRESHOLD}. */
  readonly threads: number;
  /** Bytes that will be written, if known: lets the Workers start with the first block. */
  readonly expectedSize?: number;
  /** Sees the input in blocks; valid during the call. */
  input?(block: Uint8Array): void;
  /** Takes compressed bytes, in order; valid during the call. */
  output(bytes: Uint8Array): void;
}

/** Compresses a stream into canonical bytes: they depend on the input, the kind and the level alone. */
export interface Compressor {
  /** Copies `chunk`. When it returns a promise, wait for it before the next write. */
  write(chunk: Uint8Array): void | Promise<void>;
  /** Ends the stream; settles when all output is out. */
  finish(): Promise<void>;
  /** Stops at once; no more output comes. */
  abort(): void;
}

/** @throws {RangeError} for a bad level */
export async function createCompressor(options: CompressorOptions): Promise<Compressor> {
  const { compression, threads, output } = options;
  const compress = await openCodec(compression);
  const blockSize = BLOCK_SIZE[compression.kind];
  const gzip = compression.kind === "gzip";
  let block = new Uint8Array(blockSize);
  let have = 0;
  let total = 0;
  let crc = 0;
  let started = false;
  let pool: BlockPool | undefined;

  function flush(last: boolean): void | Promise<void> {
    const input = block.subarray(0, have);
    options.input?.(input);
    if (gzip) {
      crc = checksum(input, crc);
      if (!started) output(GZIP_HEADER);
    }
    started = true;
    total += have;
    if (!pool && threads > 0 && Math.max(total, options.expectedSize ?? 0) > WORKER_THRESHOLD) {
      pool = new BlockPool(compression, threads, output);
    }
    const size = have;
    have = 0;
    if (!pool) return output(compress(input, last));
    const full = block;
    block = pool.reuse() ?? new Uint8Array(blockSize);
    return pool.push(full, size, last);
  }

  return {
    write(chunk) {
      let wait: void | Promise<void> = undefined;
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + blockSize - have);
        block.set(part, have);
        have += part.length;
        at += part.length;
        if (have === blockSize) wait = flush(false);
      }
      return wait;
    },
    async finish() {
      try {
        // deflate needs its last block even when it is empty; a zstd stream of no frames would not be one.
        if (gzip || have > 0 || !started) await flush(true);
        await pool?.drain();
        if (gzip) output(gzipTrailer(crc, total));
      } finally {
        pool?.close();
      }
    },
    abort: () => pool?.close(),
  };
}
