import type { BitWriter } from "./bit_writer.ts";
import { codeLengths, codesOf } from "./huffman.ts";

const MAX_LENGTH_CODE = 7;
/** Of the code of lengths, in the order in which they are written. */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;
/** Symbols of bytes and the end, of which all lengths are written. */
const LITERALS = 257;

/** How the lengths of a block's codes are written: in runs, with a code of their own (RFC 1951, 3.2.7). */
export interface CodeTable {
  readonly bits: number;
  write(out: BitWriter): void;
}

/** @param literals of bytes, the end, and lengths of strings; @param distances of one at least */
export function tableOf(literals: Uint8Array, distances: Uint8Array): CodeTable {
  const many = Math.max(literals.findLastIndex((length) => length > 0) + 1, LITERALS);
  const far = distances.findLastIndex((length) => length > 0) + 1;
  const runs = runsOf([...literals.subarray(0, many), ...distances.subarray(0, far)]);
  const counts = new Uint32Array(LENGTH_ORDER.length);
  for (const { symbol } of runs) counts[symbol]!++;
  const own = codeLengths(counts, MAX_LENGTH_CODE);
  const written = LENGTH_ORDER.findLastIndex((symbol) => own[symbol]! > 0) + 1;
  return {
    bits: 14 + 3 * written + bitsOf(counts, own) + runs.reduce((sum, { extra }) => sum + extra, 0),
    write(out) {
      out.bits(many - LITERALS, 5);
      out.bits(far - 1, 5);
      out.bits(written - 4, 4);
      for (const symbol of LENGTH_ORDER.slice(0, written)) out.bits(own[symbol]!, 3);
      const codes = codesOf(own);
      for (const { symbol, extra, value } of runs) {
        out.code(codes[symbol]!);
        out.bits(value, extra);
      }
    },
  };
}

/** Bits of all that is counted, in codes of these lengths. */
export function bitsOf(counts: Uint32Array, lengths: Uint8Array): number {
  let bits = 0;
  for (let symbol = 0; symbol < lengths.length; symbol++) bits += counts[symbol]! * lengths[symbol]!;
  return bits;
}

/** A length, or a run of one, with `value` in `extra` bits. */
interface Run {
  readonly symbol: number;
  readonly extra: number;
  readonly value: number;
}

function runsOf(lengths: readonly number[]): Run[] {
  const runs: Run[] = [];
  for (let at = 0; at < lengths.length;) {
    const length = lengths[at]!;
    let end = at + 1;
    while (lengths[end] === length) end++;
    const repeats = length === 0 ? end - at : end - at - 1;
    if (length !== 0) runs.push({ symbol: length, extra: 0, value: 0 });
    for (let left = repeats; left > 0;) {
      const many = length === 0 ? Math.min(left, 138) : Math.min(left, 6);
      if (many < 3) runs.push({ symbol: length, extra: 0, value: 0 });
      else if (length !== 0) runs.push({ symbol: 16, extra: 2, value: many - 3 });
      else if (many < 11) runs.push({ symbol: 17, extra: 3, value: many - 3 });
      else runs.push({ symbol: 18, extra: 7, value: many - 11 });
      left -= many < 3 ? 1 : many;
    }
    at = end;
  }
  return runs;
}
