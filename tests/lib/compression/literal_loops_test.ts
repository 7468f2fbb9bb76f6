import { deepEqual, equal } from "node:assert/strict";
import wabt from "wabt";
import { codeLengths, codesOf } from "../../../lib/compression/huffman.ts";
import { literalLoops } from "../../../lib/compression/literal_loops.ts";
import { randomNumbers } from "../tar/support.ts";

const FOLDER = new URL("../../../lib/compression/", import.meta.url);

Deno.test("literals_wasm.ts is made of literals.wat", async () => {
  const source = await Deno.readTextFile(new URL("literals.wat", FOLDER));
  const bytes = (await wabt()).parseWat("literals.wat", source).toBinary({}).buffer;
  const pieces = new Uint8Array(bytes).toBase64().match(/.{1,100}/g)!;
  const module = [
    "/** `literals.wat`, assembled. */",
    "export const LITERALS_WASM: string = [",
    ...pieces.map((piece) => `  "${piece}",`),
    '].join("");',
    "",
  ].join("\n");
  const path = new URL("literals_wasm.ts", FOLDER);
  if (Deno.env.get("UPDATE_GOLDEN") === "1") await Deno.writeTextFile(path, module);
  equal(await Deno.readTextFile(path), module, "make it anew with UPDATE_GOLDEN=1");
});

/** So many bytes of a kind, with each that there may be once in a row. */
function bytes(size: number, { most, one }: Kind): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(size);
  return Uint8Array.from({ length: size }, (_, i) => i < most ? i : one(random));
}

function counted(input: Uint8Array): Uint32Array {
  const counts = new Uint32Array(256);
  for (const byte of input) counts[byte]!++;
  return counts;
}

/** What `write` is to give, bit by bit, from the first bit of a byte on. */
function written(input: Uint8Array, codes: Int32Array): string {
  return Array.from(input, (byte) => {
    const code = codes[byte]!;
    return [...(code >>> 4).toString(2).padStart(code & 15, "0")].reverse().join("");
  }).join("");
}

const bitsOf = (bytes: Uint8Array) =>
  Array.from(bytes, (byte) => [...byte.toString(2).padStart(8, "0")].reverse().join("")).join("");

const sizes = [1, 2, 3, 4, 5, 8, 1_001, 1 << 17];
interface Kind {
  /** Bytes are below it. */
  readonly most: number;
  one(random: () => number): number;
}

const even = (most: number): Kind => ({ most, one: (random) => Math.floor(most * random()) });
/** Each half as likely as the one before: codes of one bit to 15, of which two in turn are in no table. */
const halves = (most: number): Kind => ({
  most,
  one: (random) => Math.min(most - 1, Math.floor(-Math.log2(random() || 1))),
});
const kinds = [even(2), even(64), even(256), halves(20), halves(255), halves(256)];

Deno.test("literalLoops() counts bytes", () => {
  const { input, count, counts } = literalLoops();
  for (const size of sizes) {
    for (const kind of kinds) {
      const block = bytes(size, kind);
      input.set(block);
      count(size);
      deepEqual(Array.from({ length: 256 }, (_, i) => counts[i]! + counts[256 + i]!), [...counted(block)]);
    }
  }
});

Deno.test("literalLoops() writes codes as RFC 1951 orders bits, from any bit on, and zeros after them", () => {
  const { input, codes, output, write } = literalLoops();
  for (const size of sizes) {
    for (const [at, kind] of kinds.entries()) {
      const block = bytes(size, kind);
      const made = codesOf(codeLengths(counted(block).map((count) => count + 1), 15));
      input.set(block);
      codes.set(made);
      const start = 8 * at + (size + at) % 8;
      output.fill(0xff);
      const end = write(size, start);
      const whole = "1".repeat(start) + written(block, made);
      equal(end, whole.length);
      const found = bitsOf(output.subarray(0, Math.floor(end / 8) + 1));
      equal(found === whole.padEnd(found.length, "0"), true, `${size} bytes, kind ${at}`);
    }
  }
});
