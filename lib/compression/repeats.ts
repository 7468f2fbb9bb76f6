import { deflateRawSync } from "node:zlib";
import { codeLengths } from "./huffman.ts";
import { bitsOf, countBytes, MAX_CODE } from "./literals.ts";

const SAMPLES = 4;
const SAMPLE_BYTES = 4 * 1024;

/**
 * Whether looking for repeated strings makes a block smaller. In archives, media and encoded random data it does not,
 * and the search is nearly all of the work. Decided by samples of the block alone, so that the same block always gives
 * the same bytes.
 */
export function repeats(block: Uint8Array): boolean {
  if (block.length < 2 * SAMPLES * SAMPLE_BYTES) return true;
  const sample = new Uint8Array(SAMPLES * SAMPLE_BYTES);
  const step = Math.floor((block.length - SAMPLE_BYTES) / (SAMPLES - 1));
  for (let i = 0; i < SAMPLES; i++) {
    sample.set(block.subarray(i * step, i * step + SAMPLE_BYTES), i * SAMPLE_BYTES);
  }
  const counts = countBytes(sample);
  const without = Math.min(bitsOf(counts, codeLengths(counts, MAX_CODE)), 8 * sample.length);
  const searched = deflateRawSync(sample, { level: 2, chunkSize: 2 * sample.length });
  return 8 * searched.length < 0.95 * without;
}
