import { deflateBlock } from "./deflate.ts";
import type { Compression } from "./format.ts";

/**
 * Bytes of input that are compressed on their own. Fixed, so that the output does not depend on how the input arrived
 * or on how many threads worked on it.
 */
export const BLOCK_SIZE: { readonly [K in Compression["kind"]]: number } = { gzip: 1 << 20, zstd: 4 << 20 };

/** gzip member header (RFC 1952, 2.3): deflate, no name, no time, OS unknown. */
export const GZIP_HEADER: Uint8Array = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255);

/**
 * One block of the stream: for gzip a part of the deflate stream that refers to nothing before it, ending at a byte
 * border; for zstd a whole frame. `last` ends the deflate stream. Valid until the next call.
 */
export type BlockCodec = (block: Uint8Array, last: boolean) => Uint8Array;

/** @throws {RangeError} for a level outside of what {@linkcode Compression} allows */
function checkCompression({ kind, level }: Compression): void {
  const [min, max] = kind === "gzip" ? [2, 9] : [1, 19];
  if (Number.isInteger(level) && level >= min && level <= max) return;
  throw new RangeError(`Cannot compress with ${kind} level ${level}: allowed are ${min} to ${max}`);
}

/** What compresses blocks. @throws {RangeError} for a bad level */
export async function openCodec(compression: Compression): Promise<BlockCodec> {
  checkCompression(compression);
  const { kind, level } = compression;
  if (kind === "gzip") return (block, last) => deflateBlock(block, level, last);
  const { zstdFrame } = await import("./zstd.ts");
  return (block) => zstdFrame(block, level);
}

/** gzip member trailer: CRC-32 and size modulo 2^32 of the input. */
export function gzipTrailer(crc: number, size: number): Uint8Array {
  const trailer = new Uint8Array(8);
  const view = new DataView(trailer.buffer);
  view.setUint32(0, crc, true);
  view.setUint32(4, size % 2 ** 32, true);
  return trailer;
}
