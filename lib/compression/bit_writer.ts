import { type Loops, loops } from "./loops.ts";

/** Bits in the order of RFC 1951: the lowest of each byte first. What is written is the output of {@linkcode loops}. */
export class BitWriter {
  readonly #loops: Loops = loops();
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

  /** A code as `codesOf()` makes it. */
  code(code: number): void {
    this.bits(code >>> 4, code & 15);
  }

  /** What one of the loops writes: it is told from which bit on, and says which one comes after it. */
  loop(write: (bit: number) => number): void {
    this.#bit = write(this.#bit);
  }

  /** A part of the input as it is, which ends at a byte border (RFC 1951, 3.2.4); an empty one may be nowhere. */
  stored(at: number, end: number, last: boolean): void {
    do {
      const to = Math.min(at + STORED, end);
      this.bits(last && to === end ? 1 : 0, 3);
      this.#align();
      this.bits(to - at, 16);
      this.bits((to - at) ^ 0xffff, 16);
      this.#loops.output.set(this.#loops.input.subarray(at, to), this.#bit >>> 3);
      this.#bit += 8 * (to - at);
      at = to;
    } while (at < end);
  }

  finish(): Uint8Array<ArrayBuffer> {
    this.#align();
    return this.#loops.output.subarray(0, this.#bit >>> 3);
  }

  /** Zeros up to the next byte. */
  #align(): void {
    this.#bit = this.#bit + 7 & ~7;
  }
}

/** The most that a stored block holds. */
const STORED = 0xffff;
