import { constants, deflateRawSync, zstdCompressSync } from "node:zlib";

/** How a stream is compressed. */
export interface Compression {
  readonly kind: "gzip" | "zstd";
  /** gzip 2 to 9 (level 1 makes some data larger), zstd 1 to 19. */
  readonly level: number;
}

/**
 * Bytes of input that are compressed on their own. Fixed, so that the output does not depend on how the input arrived
 * or on how many threads worked on it.
 */
export const BLOCK_SIZE: { readonly [K in Compression["kind"]]: number } = { gzip: 1 << 20, zstd: 4 << 20 };

/** gzip member header (RFC 1952, 2.3): deflate, no name, no time, OS unknown. */
export const GZIP_HEADER: Uint8Array = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);

/** Output space for one deflate block in one piece; the bytes depend on it, so it never changes. */
const DEFLATE_ROOM = (1 << 20) + (1 << 16);

/** @throws {RangeError} for a level outside of what {@linkcode Compression} allows */
export function checkCompression({ kind, level }: Compression): void {
  const [min, max] = kind === "gzip" ? [2, 9] : [1, 19];
  if (Number.isInteger(level) && level >= min && level <= max) return;
  throw new RangeError(`Cannot compress with ${kind} level ${level}: allowed are ${min} to ${max}`);
}

/**
 * One block of the stream: for gzip a part of the deflate stream that refers to nothing before it, ending at a byte
 * border; for zstd a whole frame (RFC 8878 allows frames in a row). `last` ends the deflate stream.
 */
export function compressBlock(compression: Compression, block: Uint8Array, last: boolean): Uint8Array {
  if (compression.kind === "zstd") {
    return zstdCompressSync(block, { params: { [constants.ZSTD_c_compressionLevel]: compression.level } });
  }
  const finishFlush = last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
  const strategy = repeats(block) ? constants.Z_DEFAULT_STRATEGY : constants.Z_HUFFMAN_ONLY;
  return deflateRawSync(block, { level: compression.level, strategy, chunkSize: DEFLATE_ROOM, finishFlush });
}

const SAMPLES = 4;
const SAMPLE_BYTES = 4 * 1024;

/**
 * Whether looking for repeated strings makes a block smaller. In archives, media and encoded random data it does not,
 * and the search is most of the work: without it they compress three times as fast to the same size. Decided by samples
 * of the block alone, so that the same block always gives the same bytes.
 */
function repeats(block: Uint8Array): boolean {
  if (block.length < 2 * SAMPLES * SAMPLE_BYTES) return true;
  const sample = new Uint8Array(SAMPLES * SAMPLE_BYTES);
  const step = Math.floor((block.length - SAMPLE_BYTES) / (SAMPLES - 1));
  for (let i = 0; i < SAMPLES; i++) {
    sample.set(block.subarray(i * step, i * step + SAMPLE_BYTES), i * SAMPLE_BYTES);
  }
  const size = (strategy: number) =>
    deflateRawSync(sample, { level: 2, strategy, chunkSize: 2 * sample.length }).length;
  return size(constants.Z_DEFAULT_STRATEGY) < 0.95 * size(constants.Z_HUFFMAN_ONLY);
}

/** gzip member trailer: CRC-32 and size modulo 2^32 of the input. */
export function gzipTrailer(crc: number, size: number): Uint8Array {
  const trailer = new Uint8Array(8);
  const view = new DataView(trailer.buffer);
  view.setUint32(0, crc, true);
  view.setUint32(4, size % 2 ** 32, true);
  return trailer;
}
