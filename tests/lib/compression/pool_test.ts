import { deepEqual, equal } from "node:assert/strict";
import { createCompressor } from "../../../lib/compression/compress.ts";
import { WORKER_THRESHOLD } from "../../../lib/compression/format.ts";
import { startAhead } from "../../../lib/compression/pool.ts";
import { concat, noise, randomNumbers } from "../tar/support.ts";

async function compress(input: Uint8Array, threads: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  const compressor = await createCompressor({
    compression: { kind: "gzip", level: 6 },
    threads,
    expectedSize: WORKER_THRESHOLD + 1,
    output: (bytes) => void parts.push(bytes.slice()),
  });
  await compressor.write(input);
  await compressor.finish();
  return concat(parts);
}

Deno.test("startAhead() starts one thread, which the next stream takes and the one after it does not", async () => {
  let started = 0;
  const real = globalThis.Worker;
  globalThis.Worker = class extends real {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      started++;
    }
  };
  try {
    const input = noise(3_000_000, randomNumbers(1));
    const expected = await compress(input, 0);
    startAhead();
    startAhead();
    equal(started, 1);
    deepEqual(await compress(input, 1), expected);
    equal(started, 1);
    deepEqual(await compress(input, 2), expected);
    equal(started, 3);
  } finally {
    globalThis.Worker = real;
  }
});
