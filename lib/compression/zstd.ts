/** zstd by `node:zlib`, which takes 40 ms to load: loaded by who wants it. Its bytes are the same on every processor. */
import { constants, zstdCompressSync } from "node:zlib";

/** A whole frame (RFC 8878 allows frames in a row). */
export function zstdFrame(block: Uint8Array, level: number): Uint8Array {
  return zstdCompressSync(block, { params: { [constants.ZSTD_c_compressionLevel]: level } });
}
