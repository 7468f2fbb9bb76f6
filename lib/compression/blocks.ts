/** Blocks of deflate (RFC 1951, 3.2.3) with codes of their own, of the input of {@linkcode loops}. */
import type { BitWriter } from "./bit_writer.ts";
import { bitsOf, tableOf } from "./code_table.ts";
import { codeLengths, codesOf } from "./huffman.ts";
import { DISTANCES, loops } from "./loops.ts";

const MAX_CODE = 15;
const END = 256;
/** Symbols of bytes, the end and lengths, and those of distances. */
const LITERALS = 286, FAR = 30;

/** How strings that are repeated are looked for: see `split` and `begin` in `loops.wat`. */
export interface Search {
  readonly tries: number;
  readonly enough: number;
  readonly lazy: number;
  readonly near: number;
}

/** Codes for what the loops have counted last. */
interface Codes {
  readonly literals: Uint8Array;
  readonly distances: Uint8Array;
  /** Of all that was counted, without a table of the codes. */
  readonly bits: number;
}

/** With {@linkcode Search}: bytes, and strings that are repeated. */
export function writeStrings(out: BitWriter, size: number, { tries, enough, lazy, near }: Search): void {
  const { begin, zero, split, writeTokens } = loops();
  begin(near);
  for (let at = 0; at < size;) {
    zero();
    const end = split(at, size, tries, enough, lazy);
    writeBlock(out, { at, end }, writeTokens);
    at = end;
  }
}

/** Bytes that have codes of their own. */
const PART = 1 << 17;

/** Without a search: bytes that are frequent get short codes. */
export function writeLiterals(out: BitWriter, size: number): void {
  const { zero, count, writeBytes } = loops();
  for (let at = 0; at < size; at += PART) {
    const end = Math.min(at + PART, size);
    zero();
    count(at, end);
    writeBlock(out, { at, end }, (bit) => writeBytes(at, end, bit));
  }
}

function writeBlock(
  out: BitWriter,
  { at, end }: { readonly at: number; readonly end: number },
  write: (bit: number) => number,
): void {
  const { literals, distances, bits } = codesOfCounted();
  const table = tableOf(literals, distances);
  if (table.bits + bits >= 8 * (end - at)) return out.stored(at, end, false);
  out.bits(0b100, 3);
  table.write(out);
  const { codes } = loops();
  codes.set(codesOf(literals));
  codes.set(codesOf(distances), DISTANCES);
  out.loop(write);
  out.code(codes[END]!);
}

/** The shortest codes for what the loops have counted since `zero()`, and the end. */
export function codesOfCounted(): Codes {
  const counts = loops().counts.slice();
  const symbols = counts.subarray(0, LITERALS);
  const far = counts.subarray(DISTANCES, DISTANCES + FAR);
  symbols[END] = 1;
  const literals = codeLengths(symbols, MAX_CODE);
  const distances = codeLengths(atLeastTwo(far), MAX_CODE);
  const extra = bitsOf(symbols, LENGTH_BITS) + bitsOf(far, DISTANCE_BITS);
  return { literals, distances, bits: bitsOf(symbols, literals) + bitsOf(far, distances) + extra };
}

/** Fewer codes than two are valid, and not read everywhere. */
function atLeastTwo(counts: Uint32Array): Uint32Array {
  const few = counts.slice();
  for (let symbol = 0; few.reduce((used, count) => used + Math.sign(count), 0) < 2; symbol++) {
    few[symbol] ||= 1;
  }
  return few;
}

/** Bits that follow a symbol (RFC 1951, 3.2.5). */
const LENGTH_BITS = Uint8Array.from(
  { length: LITERALS },
  (_, symbol) => symbol < 265 || symbol === 285 ? 0 : (symbol - 261) >> 2,
);
const DISTANCE_BITS = Uint8Array.from({ length: FAR }, (_, symbol) => symbol < 4 ? 0 : (symbol - 2) >> 1);
