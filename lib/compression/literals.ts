/**
 * Deflate (RFC 1951) without a search for repeated strings: bytes that are frequent get short codes, and bytes that are
 * all as frequent are stored as they are. The same for zlib's Huffman-only strategy takes several times as long.
 */
import { codeLengths, codesOf } from "./huffman.ts";

/** Bytes that have codes of their own. */
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

/** Used again by each call: new memory of this size for each makes collecting garbage a tenth of all the work. */
let room = new Uint16Array(0);

/** Of two bytes in turn, what {@linkcode pairCodes} gives. */
const pairs = new Int32Array(1 << 16);

/**
 * A part of a deflate stream that refers to nothing before it and ends at a byte border. `last` ends the stream. Valid
 * until the next call.
 */
export function deflateLiterals(input: Uint8Array, last: boolean): Uint8Array<ArrayBuffer> {
  const words = (storedSize(input.length) >>> 1) + 9;
  if (room.length < words) room = new Uint16Array(words);
  const out = new BitWriter(room);
  for (let at = 0; at < input.length; at += PART) {
    const part = input.subarray(at, at + PART);
    writePart(out, part, last && at + PART >= input.length);
  }
  if (!last || input.length === 0) writeStored(out, new Uint8Array(), last);
  return out.finish();
}

/** Bytes that a part takes at most, whatever is in it. */
function storedSize(length: number): number {
  return length + 5 * (Math.ceil(length / PART) * (Math.ceil(PART / STORED) + 1) + 1);
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

/** How often each byte occurs, and the end once. */
export function countBytes(part: Uint8Array): Uint32Array {
  // Two counts in turn: adding to one that was just added to takes longer.
  const [counts, others] = [new Uint32Array(END + 1), new Uint32Array(END)];
  let i = 0;
  for (const end = part.length - 1; i < end; i += 2) {
    counts[part[i]!]!++;
    others[part[i + 1]!]!++;
  }
  if (i < part.length) counts[part[i]!]!++;
  for (let byte = 0; byte < END; byte++) counts[byte]! += others[byte]!;
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

/**
 * Puts the codes of two bytes in turn into `pairs`, above their length, which takes the lowest five bits; 0 where both have
 * more than a word. False when there are so many that codes one by one take less.
 */
function pairCodes(codes: Int32Array, input: Uint8Array): boolean {
  const bytes: number[] = [];
  for (let byte = 0; byte < END; byte++) if (codes[byte]! > 0) bytes.push(byte);
  if (8 * bytes.length ** 2 > input.length || input.byteOffset % 2 === 1) return false;
  for (const other of bytes) {
    const code = codes[other]!;
    for (const one of bytes) {
      const first = codes[one]!;
      const length = (first & 15) + (code & 15);
      pairs[other << 8 | one] = length > 16 ? 0 : (first >> 4 | code >> 4 << (first & 15)) << 5 | length;
    }
  }
  return true;
}

/** Bits in the order of RFC 1951: the lowest of each byte first. */
class BitWriter {
  readonly #words: Uint16Array<ArrayBuffer>;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  #at = 0;
  #held = 0;
  #count = 0;

  /** @param room for all that will be written, whatever is in it now */
  constructor(room: Uint16Array<ArrayBuffer>) {
    this.#words = room;
    this.#bytes = new Uint8Array(room.buffer);
  }

  /** Up to 16 bits. */
  bits(value: number, count: number): void {
    this.#held |= value << this.#count;
    this.#count += count;
    while (this.#count >= 8) {
      this.#bytes[this.#at++] = this.#held;
      this.#held >>>= 8;
      this.#count -= 8;
    }
  }

  /** Each byte by its code. */
  literals(input: Uint8Array, codes: Int32Array): void {
    // Whole words are written, so that nothing depends on how many bits are held.
    if (this.#at % 2 === 1) {
      this.#held = this.#held << 8 | this.#bytes[--this.#at]!;
      this.#count += 8;
    }
    const words = this.#words;
    let [at, held, count] = [this.#at >>> 1, this.#held, this.#count];
    let i = 0;
    if (pairCodes(codes, input)) {
      const twos = new Uint16Array(input.buffer, input.byteOffset, input.length >> 1);
      for (; i < twos.length; i++) {
        let pair = pairs[twos[i]!]!;
        if (pair === 0) {
          const one = codes[input[2 * i]!]!;
          held |= (one >> 4) << count;
          count += one & 15;
          words[at] = held;
          at += count >> 4;
          held >>= count & 16;
          count &= 15;
          const other = codes[input[2 * i + 1]!]!;
          pair = other >> 4 << 5 | other & 15;
        }
        held |= (pair >> 5) << count;
        count += pair & 31;
        words[at] = held;
        at += count >> 4;
        held >>= count & 16;
        count &= 15;
      }
      i *= 2;
    }
    for (; i < input.length; i++) {
      const code = codes[input[i]!]!;
      held |= (code >> 4) << count;
      count += code & 15;
      words[at] = held;
      at += count >> 4;
      held >>= count & 16;
      count &= 15;
    }
    this.#at = 2 * at;
    this.#held = held;
    this.#count = count;
    this.bits(0, 0);
  }

  /** Zeros up to the next byte. */
  align(): void {
    if (this.#count > 0) this.bits(0, 8 - this.#count);
  }

  /** At a byte border. */
  bytes(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.align();
    return this.#bytes.subarray(0, this.#at);
  }
}
