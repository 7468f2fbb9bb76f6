import { deepEqual, equal, ok } from "node:assert/strict";
import { constants, deflateRawSync, inflateRawSync } from "node:zlib";
import { codeLengths } from "../../../lib/compression/huffman.ts";
import { deflateLiterals } from "../../../lib/compression/literals.ts";
import { repeats } from "../../../lib/compression/repeats.ts";
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

Deno.test("deflateLiterals() gives a deflate stream, or a part of one, that is the input", async (t) => {
  const part = 1 << 17;
  const sizes = [0, 1, 2, 3, 255, 65_535, 65_536, part - 1, part, part + 1, 2 * part + 77];
  const kinds = { one: even(1), two: even(2), few: even(3), text: even(64), all: even(256), halves };
  for (const [name, weights] of Object.entries(kinds)) {
    await t.step(name, () => {
      for (const size of sizes) {
        const input = weighted(size, weights, size + 1);
        deepEqual(new Uint8Array(inflateRawSync(deflateLiterals(input, true))), input, `${size} bytes`);
        const more = deflateLiterals(input, false).slice();
        const whole = concat([more, deflateLiterals(input, true)]);
        deepEqual(new Uint8Array(inflateRawSync(whole)), concat([input, input]), `twice ${size} bytes`);
      }
    });
  }
});

Deno.test("deflateLiterals() is hardly ever larger than zlib without a search", () => {
  for (const weights of [even(1), even(10), even(64), even(200), even(256), halves]) {
    const input = weighted(300_000, weights, 3);
    const zlib = deflateRawSync(input, { strategy: constants.Z_HUFFMAN_ONLY }).length;
    ok(deflateLiterals(input, true).length <= 1.002 * zlib);
  }
});

Deno.test("deflateLiterals() takes bytes from anywhere in a buffer", () => {
  const bytes = weighted(100_001, even(50), 4);
  for (const at of [0, 1, 2, 3]) {
    const input = bytes.subarray(at, at + 70_000);
    equal(deflateLiterals(input, true).length, deflateLiterals(input.slice(), true).length);
    deepEqual(new Uint8Array(inflateRawSync(deflateLiterals(input, true))), input.slice());
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

Deno.test("tables of few different bytes are searched for repetitions, random bytes and their text are not", () => {
  const random = randomNumbers(5);
  for (const row of [6, 8, 16, 24]) {
    const table = new DataView(new ArrayBuffer(1 << 18));
    for (let at = 0, id = 0; at + row <= table.byteLength; at += row) {
      id += 1 + Math.floor(3 * random());
      table.setUint32(at, id, true);
    }
    ok(repeats(new Uint8Array(table.buffer)), `rows of ${row} bytes`);
  }
  for (const weights of [even(256), even(64), halves]) ok(!repeats(weighted(1 << 18, weights, 9)));
});
