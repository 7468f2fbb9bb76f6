import { codeLengths } from "./huffman.ts";
import { bitsOf, countBytes, MAX_CODE } from "./literals.ts";

const SAMPLES = 4;
const SAMPLE_BYTES = 4 * 1024;
const HASH_BITS = 12;
/** What a reference to bytes before costs, more or less. */
const REFERENCE_BITS = 16;

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
  const lengths = codeLengths(counts, MAX_CODE);
  return searchedBits(sample, lengths) < 0.95 * Math.min(bitsOf(counts, lengths), 8 * sample.length);
}

/** Bits of a text in which the nearest four equal bytes or more are referred to; other bytes take `lengths`. */
function searchedBits(text: Uint8Array, lengths: Uint8Array): number {
  const view = new DataView(text.buffer, text.byteOffset, text.length);
  const seen = new Int32Array(1 << HASH_BITS).fill(-1);
  let bits = 0;
  let at = 0;
  while (at + 4 <= text.length) {
    const word = view.getUint32(at, true);
    const hash = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
    const before = seen[hash]!;
    seen[hash] = at;
    if (before >= 0 && view.getUint32(before, true) === word) {
      let end = at;
      let spelt = 0;
      while (end < text.length && text[end] === text[before + end - at]) spelt += lengths[text[end++]!]!;
      bits += Math.min(REFERENCE_BITS, spelt);
      at = end;
    } else bits += lengths[text[at++]!]!;
  }
  for (; at < text.length; at++) bits += lengths[text[at]!]!;
  return bits;
}
