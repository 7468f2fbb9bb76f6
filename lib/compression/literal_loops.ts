/** The loops of `literals.wat`: V8 compiles WebAssembly before it runs it, JavaScript after ten blocks of a megabyte. */
import { hasMembers, isNumber } from "../guard.ts";
import { LITERALS_WASM } from "./literals_wasm.ts";

/** `literals.wat` says what they do with the memory that is seen here. */
export interface LiteralLoops {
  readonly counts: Uint32Array<ArrayBuffer>;
  readonly codes: Int32Array<ArrayBuffer>;
  readonly input: Uint8Array<ArrayBuffer>;
  readonly output: Uint8Array<ArrayBuffer>;
  count(size: number): void;
  write(size: number, bit: number): number;
}

type Place = { readonly value: number };

interface Exports extends Pick<LiteralLoops, "count" | "write"> {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly counts: Place;
  readonly codes: Place;
  readonly input: Place;
  readonly output: Place;
}

const isBuffer = (value: unknown): value is ArrayBuffer => value instanceof ArrayBuffer;
const isPlace = hasMembers<Place>({ value: isNumber });
const isCount = (value: unknown): value is LiteralLoops["count"] => typeof value === "function";
const isWrite = (value: unknown): value is LiteralLoops["write"] => typeof value === "function";

const isExports = hasMembers<Exports>({
  memory: hasMembers({ buffer: isBuffer }),
  counts: isPlace,
  codes: isPlace,
  input: isPlace,
  output: isPlace,
  count: isCount,
  write: isWrite,
});

let loops: LiteralLoops | undefined;

/** The only ones of this thread: whoever calls them is done with their memory before another one does. */
export function literalLoops(): LiteralLoops {
  return loops ??= load();
}

function load(): LiteralLoops {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.fromBase64(LITERALS_WASM)));
  if (!isExports(exports)) throw new Error("Cannot load literals_wasm.ts: it is not what literals.wat says");
  const { memory: { buffer }, counts, codes, input, output, count, write } = exports;
  return {
    counts: new Uint32Array(buffer, counts.value, 512),
    codes: new Int32Array(buffer, codes.value, 256),
    input: new Uint8Array(buffer, input.value, output.value - input.value),
    output: new Uint8Array(buffer, output.value),
    count,
    write,
  };
}
