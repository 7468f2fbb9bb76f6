/** What all who compress agree on. Loads nothing, which those need who only ask for it. */

/** How a stream is compressed. */
export interface Compression {
  readonly kind: "gzip" | "zstd";
  /** gzip 2 to 9 (level 1 makes some data larger), zstd 1 to 19. */
  readonly level: number;
}

/**
 * Version of what comes out: raised when any input gives other bytes than before, so that layers which were made then are
 * not taken for those that would be made now. `tests/lib/compression/format_test.ts` tells when.
 */
export const COMPRESSION_FORMAT = 3;

/** Bytes of input from which on Workers pay for their start. */
export const WORKER_THRESHOLD = 16 << 20;

/** Bytes that so many come to at most, whatever they are. */
export function longestOutput(size: number): number {
  return size + (size >> 6) + 1024;
}
