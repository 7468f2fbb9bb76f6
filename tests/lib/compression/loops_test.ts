import { deepEqual, equal } from "node:assert/strict";
import { crc32 } from "node:zlib";
import wabt from "wabt";
import { codeLengths, codesOf } from "../../../lib/compression/huffman.ts";
import { checksum, loops } from "../../../lib/compression/loops.ts";
import { randomNumbers } from "../tar/support.ts";

const FOLDER = new URL("../../../lib/compression/", import.meta.url);

Deno.test("loops_wasm.ts is made of loops.wat", async () => {
  const source = await Deno.readTextFile(new URL("loops.wat", FOLDER));
  const bytes = (await wabt()).parseWat("loops.wat", source).toBinary({}).buffer;
  const pieces = new Uint8Array(bytes).toBase64().match(/.{1,100}/g)!;
  const module = [
    "/** `loops.wat`, assembled. */",
    "export const LOOPS_WASM: string = [",
    ...pieces.map((piece) => `  "${piece}",`),
    '].join("");',
    "",
  ].join("\n");
  const path = new URL("loops_wasm.ts", FOLDER);
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

Deno.test("loops() counts bytes", () => {
  const { input, zero, count, counts } = loops();
  for (const size of sizes) {
    for (const kind of kinds) {
      const block = bytes(size, kind);
      input.set(block);
      zero();
      count(0, size);
      deepEqual([...counts.subarray(0, 256)], [...counted(block)]);
      count(size - 1, size);
      equal(counts[block.at(-1)!], counted(block)[block.at(-1)!]! + 1);
    }
  }
});

Deno.test("loops() writes codes as RFC 1951 orders bits, from any bit on, and zeros after them", () => {
  const { input, codes, output, writeBytes } = loops();
  for (const size of sizes) {
    for (const [at, kind] of kinds.entries()) {
      const block = bytes(size, kind);
      const made = codesOf(codeLengths(counted(block).map((count) => count + 1), 15));
      input.set(block);
      codes.set(made);
      const start = 8 * at + (size + at) % 8;
      output.fill(0xff);
      const end = writeBytes(0, size, start);
      const whole = "1".repeat(start) + written(block, made);
      equal(end, whole.length);
      const found = bitsOf(output.subarray(0, Math.floor(end / 8) + 1));
      equal(found === whole.padEnd(found.length, "0"), true, `${size} bytes, kind ${at}`);
    }
  }
});

Deno.test("checksum() is zlib's, in any pieces", () => {
  for (const size of [0, ...sizes, (1 << 20) - 1, (1 << 20) + 9]) {
    const block = bytes(size, even(256));
    equal(checksum(block, 0), crc32(block));
    const cut = size * 5 >> 3;
    equal(checksum(block.subarray(cut), checksum(block.subarray(0, cut), 0)), crc32(block));
  }
});
