/** The loops of `loops.wat`: V8 compiles WebAssembly before it runs it, JavaScript after ten blocks of a megabyte. */
import { hasMembers, isNumber } from "../guard.ts";
import { LOOPS_WASM } from "./loops_wasm.ts";

/** `loops.wat` says what they do with the memory that is seen here. */
export interface Loops {
  readonly codes: Int32Array<ArrayBuffer>;
  readonly counts: Uint32Array<ArrayBuffer>;
  readonly input: Uint8Array<ArrayBuffer>;
  readonly output: Uint8Array<ArrayBuffer>;
  zero(): void;
  count(at: number, end: number): void;
  writeBytes(at: number, end: number, bit: number): number;
  begin(near: number): void;
  split(at: number, end: number, tries: number, enough: number, lazy: number): number;
  writeTokens(bit: number): number;
  checksum(sum: number, end: number): number;
}

/** Where the symbols of distances are, after those of bytes and lengths. */
export const DISTANCES = 288;
/** Symbols of both. */
const SYMBOLS = 320;

type Place = { readonly value: number };

interface Exports extends Omit<Loops, "codes" | "counts" | "input" | "output"> {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly codes: Place;
  readonly counts: Place;
  readonly input: Place;
  readonly output: Place;
}

const isBuffer = (value: unknown): value is ArrayBuffer => value instanceof ArrayBuffer;
const isPlace = hasMembers<Place>({ value: isNumber });
const isLoop = (value: unknown): value is (...numbers: number[]) => number => typeof value === "function";

const isExports = hasMembers<Exports>({
  memory: hasMembers({ buffer: isBuffer }),
  codes: isPlace,
  counts: isPlace,
  input: isPlace,
  output: isPlace,
  zero: isLoop,
  count: isLoop,
  writeBytes: isLoop,
  begin: isLoop,
  split: isLoop,
  writeTokens: isLoop,
  checksum: isLoop,
});

let loaded: Loops | undefined;

/** The only ones of this thread: whoever calls them is done with their memory before another one does. */
export function loops(): Loops {
  return loaded ??= load();
}

function load(): Loops {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.fromBase64(LOOPS_WASM)));
  if (!isExports(exports)) throw new Error("Cannot load loops_wasm.ts: it is not what loops.wat says");
  const { memory: { buffer }, codes, counts, input, output, ...functions } = exports;
  return {
    codes: new Int32Array(buffer, codes.value, SYMBOLS),
    counts: new Uint32Array(buffer, counts.value, SYMBOLS),
    input: new Uint8Array(buffer, input.value, 1 << 20),
    output: new Uint8Array(buffer, output.value),
    ...functions,
  };
}

/** The CRC-32 of what had that of `sum` and of `bytes` after it, as gzip has it (RFC 1952, 8). */
export function checksum(bytes: Uint8Array, sum: number): number {
  const { input, checksum } = loops();
  for (let at = 0; at < bytes.length; at += input.length) {
    const part = bytes.subarray(at, at + input.length);
    input.set(part);
    sum = checksum(sum, part.length);
  }
  return sum >>> 0;
}
