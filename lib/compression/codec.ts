import { constants, deflateRawSync, zstdCompressSync } from "node:zlib";
import type { Compression } from "./format.ts";
import { deflateLiterals } from "./literals.ts";
import { repeats } from "./repeats.ts";

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
 * border; for zstd a whole frame (RFC 8878 allows frames in a row). `last` ends the deflate stream. Valid until the
 * next call.
 */
export function compressBlock(compression: Compression, block: Uint8Array, last: boolean): Uint8Array {
  if (compression.kind === "zstd") {
    return zstdCompressSync(block, { params: { [constants.ZSTD_c_compressionLevel]: compression.level } });
  }
  if (!repeats(block)) return deflateLiterals(block, last);
  const finishFlush = last ? constants.Z_FINISH : constants.Z_SYNC_FLUSH;
  return deflateRawSync(block, { level: compression.level, chunkSize: DEFLATE_ROOM, finishFlush });
}

/** gzip member trailer: CRC-32 and size modulo 2^32 of the input. */
export function gzipTrailer(crc: number, size: number): Uint8Array {
  const trailer = new Uint8Array(8);
  const view = new DataView(trailer.buffer);
  view.setUint32(0, crc, true);
  view.setUint32(4, size % 2 ** 32, true);
  return trailer;
}
