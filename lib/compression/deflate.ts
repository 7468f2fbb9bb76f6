/**
 * Deflate (RFC 1951) whose bytes depend on the input and the level alone. Those of zlib depend on its version, and on the
 * processor: the one in Deno finds other strings on 64-bit ARM than on x86_64.
 */
import { BitWriter } from "./bit_writer.ts";
import { codesOfCounted, type Search, writeLiterals, writeStrings } from "./blocks.ts";
import { loops } from "./loops.ts";

/** By level, as fast and as small as zlib's, or smaller. */
const SEARCHES: Readonly<Record<number, Search>> = {
  2: { tries: 3, enough: 12, lazy: 0, near: 0 },
  3: { tries: 4, enough: 16, lazy: 8, near: 0 },
  4: { tries: 8, enough: 32, lazy: 16, near: 4096 },
  5: { tries: 16, enough: 64, lazy: 32, near: 4096 },
  6: { tries: 32, enough: 128, lazy: 64, near: 4096 },
  7: { tries: 64, enough: 200, lazy: 128, near: 4096 },
  8: { tries: 256, enough: 258, lazy: 258, near: 4096 },
  9: { tries: 1024, enough: 258, lazy: 258, near: 4096 },
};

/**
 * A part of a deflate stream that refers to nothing before it and ends at a byte border. `last` ends the stream. Valid
 * until the next call.
 *
 * @param block a megabyte at most
 * @param level 2 to 9
 */
export function deflateBlock(block: Uint8Array, level: number, last: boolean): Uint8Array<ArrayBuffer> {
  loops().input.set(block);
  const out = new BitWriter();
  if (repeats(block.length)) writeStrings(out, block.length, SEARCHES[level]!);
  else writeLiterals(out, block.length);
  out.stored(0, 0, last);
  return out.finish();
}

const SAMPLES = 4;
const SAMPLE_BYTES = 4 * 1024;

/**
 * Whether looking for repeated strings makes the input smaller. In archives, media and encoded random data it does not,
 * and the search is nearly all of the work. Decided by samples of the input alone, so that the same one always gives the
 * same bytes.
 */
function repeats(size: number): boolean {
  if (size < 2 * SAMPLES * SAMPLE_BYTES) return true;
  const { zero, count, begin, split } = loops();
  const step = Math.floor((size - SAMPLE_BYTES) / (SAMPLES - 1));
  const bits = (read: (at: number, end: number) => void) => {
    zero();
    for (let i = 0; i < SAMPLES; i++) read(i * step, i * step + SAMPLE_BYTES);
    return Math.min(codesOfCounted().bits, 8 * SAMPLES * SAMPLE_BYTES);
  };
  const { tries, enough, lazy, near } = SEARCHES[2]!;
  begin(near);
  return bits((at, end) => void split(at, end, tries, enough, lazy)) < 0.95 * bits(count);
}
