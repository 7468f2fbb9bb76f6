/**
 * Deflate (RFC 1951) without a search for repeated strings: bytes that are frequent get short codes, and bytes that are
 * all as frequent are stored as they are. The same for zlib's Huffman-only strategy takes several times as long.
 */
import { codeLengths, codesOf } from "./huffman.ts";
import { type LiteralLoops, literalLoops } from "./literal_loops.ts";

/** Bytes that have codes of their own; the loops have room for so many. */
const PART = 1 << 17;
/** The most that a stored block holds. */
const STORED = 0xffff;
const END = 256;
export const MAX_CODE = 15;
const MAX_LENGTH_CODE = 7;
/** Of the code of lengths, in the order in which they are written. */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15] as const;
/** Two codes for distances that never occur: fewer are valid, and not read everywhere. */
const DISTANCES = [1, 1] as const;

/**
 * A part of a deflate stream that refers to nothing before it and ends at a byte border. `last` ends the stream. Valid
 * until the next call.
 *
 * @param input a megabyte at most
 */
export function deflateLiterals(input: Uint8Array, last: boolean): Uint8Array<ArrayBuffer> {
  const out = new BitWriter();
  for (let at = 0; at < input.length; at += PART) {
    const part = input.subarray(at, at + PART);
    writePart(out, part, last && at + PART >= input.length);
  }
  if (!last || input.length === 0) writeStored(out, new Uint8Array(), last);
  return out.finish();
}

function writePart(out: BitWriter, part: Uint8Array, last: boolean): void {
  const counts = countBytes(part);
  const lengths = codeLengths(counts, MAX_CODE);
  const table = tableOf(lengths);
  if (bitsOf(counts, lengths) + table.bits >= 8 * part.length) return writeStored(out, part, last);
  out.bits(last ? 0b101 : 0b100, 3);
  table.write(out);
  const codes = codesOf(lengths);
  out.literals(part, codes);
  out.bits(codes[END]! >>> 4, codes[END]! & 15);
}

function writeStored(out: BitWriter, part: Uint8Array, last: boolean): void {
  let at = 0;
  do {
    const piece = part.subarray(at, at + STORED);
    at += piece.length;
    out.bits(last && at >= part.length ? 1 : 0, 3);
    out.align();
    out.bits(piece.length, 16);
    out.bits(piece.length ^ 0xffff, 16);
    out.bytes(piece);
  } while (at < part.length);
}

/**
 * How often each byte occurs, and the end once.
 *
 * @param part 128 KB at most
 */
export function countBytes(part: Uint8Array): Uint32Array {
  const loops = literalLoops();
  loops.input.set(part);
  loops.count(part.length);
  const counts = new Uint32Array(END + 1);
  for (let byte = 0; byte < END; byte++) counts[byte] = loops.counts[byte]! + loops.counts[END + byte]!;
  counts[END] = 1;
  return counts;
}

/** Bits of all that is counted, in codes of these lengths. */
export function bitsOf(counts: Uint32Array, lengths: Uint8Array): number {
  let bits = 0;
  for (let symbol = 0; symbol < lengths.length; symbol++) bits += counts[symbol]! * lengths[symbol]!;
  return bits;
}

/** How lengths of codes are written: in runs, with a code of their own (RFC 1951, 3.2.7). */
function tableOf(lengths: Uint8Array) {
  const runs = runsOf([...lengths, ...DISTANCES]);
  const counts = new Uint32Array(LENGTH_ORDER.length);
  for (const { symbol } of runs) counts[symbol]!++;
  const own = codeLengths(counts, MAX_LENGTH_CODE);
  const written = LENGTH_ORDER.findLastIndex((symbol) => own[symbol]! > 0) + 1;
  const bits = 14 + 3 * written + bitsOf(counts, own) + runs.reduce((sum, { extra }) => sum + extra, 0);
  return {
    bits,
    write(out: BitWriter): void {
      out.bits(0, 5); // 257 codes of bytes and the end
      out.bits(DISTANCES.length - 1, 5);
      out.bits(written - 4, 4);
      for (const symbol of LENGTH_ORDER.slice(0, written)) out.bits(own[symbol]!, 3);
      const codes = codesOf(own);
      for (const { symbol, extra, value } of runs) {
        out.bits(codes[symbol]! >>> 4, codes[symbol]! & 15);
        out.bits(value, extra);
      }
    },
  };
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

/** Bits in the order of RFC 1951: the lowest of each byte first. */
class BitWriter {
  readonly #loops: LiteralLoops = literalLoops();
  /** What is written so far; the byte that it ends in is zero above it. */
  #bit = 0;

  /** Up to 16 bits. */
  bits(value: number, count: number): void {
    const { output } = this.#loops;
    const [at, below] = [this.#bit >>> 3, this.#bit & 7];
    const held = output[at]! & (1 << below) - 1 | value << below;
    output[at] = held;
    output[at + 1] = held >>> 8;
    output[at + 2] = held >>> 16;
    this.#bit += count;
  }

  /** Each byte by its code. */
  literals(part: Uint8Array, codes: Int32Array): void {
    this.#loops.input.set(part);
    this.#loops.codes.set(codes.subarray(0, END));
    this.#bit = this.#loops.write(part.length, this.#bit);
  }

  /** Zeros up to the next byte. */
  align(): void {
    this.#bit = this.#bit + 7 & ~7;
  }

  /** At a byte border. */
  bytes(bytes: Uint8Array): void {
    this.#loops.output.set(bytes, this.#bit >>> 3);
    this.#bit += 8 * bytes.length;
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.align();
    return this.#loops.output.subarray(0, this.#bit >>> 3);
  }
}
