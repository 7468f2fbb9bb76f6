import { deepEqual, equal, ok } from "node:assert/strict";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { deflateBlock } from "../../../lib/compression/deflate.ts";
import { longestOutput } from "../../../lib/compression/format.ts";
import { codeLengths } from "../../../lib/compression/huffman.ts";
import { concat, randomNumbers } from "../tar/support.ts";

/** Bytes of which each is as likely as its weight says. */
function weighted(length: number, weights: readonly number[], seed: number): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  const total = weights.reduce((a, b) => a + b, 0);
  return Uint8Array.from({ length }, () => {
    let at = random() * total;
    const byte = weights.findIndex((weight) => (at -= weight) < 0);
    return byte < 0 ? weights.length - 1 : byte;
  });
}

const even = (count: number) => Array.from({ length: count }, () => 1);
const halves = Array.from({ length: 40 }, (_, i) => 2 ** -i);

const MIB = 1 << 20;

/** Strings of all lengths, from all distances, between bytes of which each is new or one of few. */
function stringy(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  const bytes = new Uint8Array(length);
  const [far, few] = [2 ** (1 + 15.2 * random()), 1 + 255 * random()];
  for (let at = 0; at < length;) {
    const distance = 1 + Math.floor(far * random());
    if (distance > at || random() < 0.3) bytes[at++] = few * random();
    else {for (let left = 1 + 300 * random() ** 3; left > 0 && at < length; left--, at++) {
        bytes[at] = bytes[at - distance]!;
      }}
  }
  return bytes;
}

const ALL = [2, 3, 4, 5, 6, 7, 8, 9];

function checked(input: Uint8Array, level: number): number {
  const more = deflateBlock(input, level, false).slice();
  const whole = concat([more, deflateBlock(input, level, true)]);
  deepEqual(
    new Uint8Array(inflateRawSync(whole)),
    concat([input, input]),
    `twice ${input.length} bytes, level ${level}`,
  );
  ok(more.length <= longestOutput(input.length));
  return more.length;
}

Deno.test("deflateBlock() gives a deflate stream, or a part of one, that is the input", async (t) => {
  const part = 1 << 17;
  const sizes = [0, 1, 2, 3, 4, 5, 255, 258, 259, 65_535, 65_536, part - 1, part, part + 1, 2 * part + 77];
  const kinds = { one: even(1), two: even(2), few: even(3), text: even(64), all: even(256), halves };
  for (const [name, weights] of Object.entries(kinds)) {
    await t.step(name, () => {
      for (const size of sizes) checked(weighted(size, weights, size + 1), 2 + size % 8);
    });
  }
  for (const level of ALL) {
    await t.step(`level ${level}`, () => {
      for (let seed = 0; seed < 30; seed++) {
        checked(stringy(1 + (seed * 7919) % 200_000, 100 * level + seed), level);
      }
      checked(stringy(MIB, level), level);
      checked(weighted(MIB, even(256), level), level);
      checked(new Uint8Array(MIB), level);
    });
  }
});

Deno.test("deflateBlock() knows nothing of the block before", () => {
  const [one, other] = [stringy(300_000, 1), stringy(300_000, 2)];
  const alone = deflateBlock(other, 3, true).slice();
  deflateBlock(one, 9, false);
  deepEqual(deflateBlock(other, 3, true), alone);
});

Deno.test("deflateBlock() is not larger than zlib makes it, or hardly", async () => {
  const program = new Uint8Array((await Deno.readFile(Deno.execPath())).subarray(8 * MIB, 9 * MIB));
  const text = await Deno.readFile(new URL("../../../deno.lock", import.meta.url));
  const inputs = {
    program,
    text: text.subarray(0, MIB),
    stringy: stringy(MIB, 4),
    zeros: new Uint8Array(MIB),
  };
  for (const [name, input] of Object.entries(inputs)) {
    for (const level of ALL) {
      const zlib = deflateRawSync(input, { level, finishFlush: constants.Z_SYNC_FLUSH }).length;
      const own = checked(input, level);
      ok(own <= 1.03 * zlib + 100, `${name}, level ${level}: ${own} bytes, zlib ${zlib}`);
    }
  }
  for (const weights of [even(10), even(64), even(200), even(256), halves]) {
    const input = weighted(300_000, weights, 3);
    const zlib = deflateRawSync(input, { strategy: constants.Z_HUFFMAN_ONLY }).length;
    ok(deflateBlock(input, 2, true).length <= 1.01 * zlib);
  }
});

Deno.test("deflateBlock() takes bytes from anywhere in a buffer", () => {
  const bytes = stringy(100_001, 4);
  for (const at of [0, 1, 2, 3]) {
    const input = bytes.subarray(at, at + 70_000);
    const made = deflateBlock(input, 4, true).slice();
    deepEqual(deflateBlock(input.slice(), 4, true), made);
    deepEqual(new Uint8Array(inflateRawSync(made)), input.slice());
  }
});

Deno.test("codeLengths() makes whole codes within the limit, the shortest for what is frequent", () => {
  const fibonacci = [1, 1];
  while (fibonacci.length < 30) fibonacci.push(fibonacci.at(-1)! + fibonacci.at(-2)!);
  const random = randomNumbers(5);
  const many = Array.from({ length: 257 }, () => Math.floor(random() ** 8 * 100_000));
  for (const counts of [[1, 1], [1, 0, 5, 0], fibonacci, many.map((count) => count + 1), many]) {
    for (const limit of [9, 15]) {
      const lengths = codeLengths(Uint32Array.from(counts), limit);
      let room = 0;
      counts.forEach((count, symbol) => {
        const length = lengths[symbol]!;
        equal(length > 0, count > 0);
        ok(length <= limit);
        if (length > 0) room += 2 ** -length;
        counts.forEach((other, less) => other > 0 && other < count && ok(lengths[less]! >= length));
      });
      equal(room, 1);
    }
  }
  // as known from any book: 5, 9, 12, 13, 16, 45
  deepEqual([...codeLengths(Uint32Array.of(5, 9, 12, 13, 16, 45), 15)], [4, 4, 3, 3, 3, 1]);
});

/** Level 9 finds what level 2 finds and more, unless nothing is looked for. */
const searched = (input: Uint8Array) =>
  deflateBlock(input, 2, true).slice().toBase64() !== deflateBlock(input, 9, true).toBase64();

Deno.test("tables of few different bytes are searched for repetitions, random bytes and their text are not", () => {
  const random = randomNumbers(5);
  for (const row of [6, 8, 16, 24]) {
    const table = new DataView(new ArrayBuffer(1 << 18));
    for (let at = 0, id = 0; at + row <= table.byteLength; at += row) {
      id += 1 + Math.floor(3 * random());
      table.setUint32(at, id, true);
    }
    ok(searched(new Uint8Array(table.buffer)), `rows of ${row} bytes`);
  }
  for (const weights of [even(256), even(64), halves]) ok(!searched(weighted(1 << 18, weights, 9)));
});
