import { deepEqual, equal, rejects } from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { createCompressor } from "../../../lib/compression/compress.ts";
import type { Compression } from "../../../lib/compression/format.ts";
import { unzstd } from "../../../lib/compression/decompress.ts";
import { gunzip } from "../../../lib/compression/gunzip.ts";
import { sniffCompression } from "../../../lib/compression/sniff.ts";
import { peer } from "../../support/peers.ts";
import { run } from "../../support/process.ts";
import { withTempDir } from "../../support/tmp.ts";
import { decompress, sample } from "./support.ts";
import { concat, noise, randomNumbers, randomPieces, utf8 } from "../tar/support.ts";

const MIB = 1 << 20;

async function compress(
  chunks: Iterable<Uint8Array>,
  compression: Compression,
  threads: number,
  expectedSize?: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  const compressor = await createCompressor({
    compression,
    threads,
    ...(expectedSize !== undefined && { expectedSize }),
    output: (bytes) => void parts.push(bytes.slice()),
  });
  for (const chunk of chunks) await compressor.write(chunk);
  await compressor.finish();
  return concat(parts);
}

/** Data that repeats nothing: as archives and media have, and as text. */
function unrepeating(length: number, seed: number): Uint8Array {
  const bytes = noise(length, randomNumbers(seed));
  return concat([bytes, utf8(bytes.toBase64())]);
}

const DECODERS = { gzip: gunzip, zstd: unzstd } as const;
const KINDS: readonly Compression[] = [{ kind: "gzip", level: 2 }, { kind: "gzip", level: 6 }, {
  kind: "zstd",
  level: 3,
}];

Deno.test("createCompressor() gives the same bytes for any threads and any pieces", async (t) => {
  const data = concat([sample(16 * MIB + 12_345, 5), unrepeating(2 * MIB, 15)]);
  for (const compression of KINDS) {
    await t.step(`${compression.kind} ${compression.level}`, async () => {
      const alone = await compress([data], compression, 0);
      const random = randomNumbers(6);
      deepEqual(await compress(randomPieces(data, random, 100_000), compression, 0), alone);
      for (const threads of [1, 2, 3]) {
        deepEqual(await compress(randomPieces(data, random, 3 * MIB), compression, threads), alone);
        deepEqual(await compress([data], compression, threads, data.length), alone);
      }
      deepEqual(await decompress(DECODERS[compression.kind], alone), data);
    });
  }
});

Deno.test("createCompressor() output is valid at block borders", async (t) => {
  for (const compression of KINDS) {
    for (const size of [0, 1, MIB - 1, MIB, MIB + 1, 4 * MIB, 4 * MIB + 1]) {
      await t.step(`${compression.kind} ${compression.level}, ${size} bytes`, async () => {
        const data = sample(size, size);
        const packed = await compress([data], compression, 0);
        deepEqual(await decompress(DECODERS[compression.kind], packed), data);
        equal(sniffCompression(packed), compression.kind);
        if (compression.kind === "gzip") deepEqual(new Uint8Array(gunzipSync(packed)), data);
      });
    }
  }
});

Deno.test("createCompressor() writes one gzip member without time, for an unknown system", async () => {
  const packed = await compress([utf8("x")], { kind: "gzip", level: 6 }, 0);
  deepEqual([...packed.subarray(0, 10)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
});

Deno.test("createCompressor() rejects levels that are not offered", async () => {
  for (
    const [kind, level] of [["gzip", 1], ["gzip", 10], ["gzip", 2.5], ["zstd", 0], ["zstd", 20]] as const
  ) {
    await rejects(createCompressor({ compression: { kind, level }, threads: 0, output() {} }), RangeError);
  }
});

Deno.test("createCompressor() hands on what its output throws", async (t) => {
  const data = sample(5 * MIB, 7);
  for (const threads of [0, 2]) {
    await t.step(`${threads} threads`, async () => {
      let calls = 0;
      const compressor = await createCompressor({
        compression: { kind: "gzip", level: 2 },
        threads,
        expectedSize: 100 * MIB,
        output() {
          if (++calls === 3) throw new Error("disk full");
        },
      });
      await rejects(async () => {
        await compressor.write(data);
        await compressor.finish();
      }, /disk full/);
      compressor.abort();
    });
  }
});

Deno.test("createCompressor() passes the tests of gzip, zstd and Python", async (t) => {
  const data = concat([sample(3 * MIB + 17, 8), unrepeating(3 * MIB, 18)]);
  await withTempDir(async (dir) => {
    await Deno.writeFile(`${dir}/data`, data);
    for (const kind of ["gzip", "zstd"] as const) {
      await Deno.writeFile(`${dir}/${kind}`, await compress([data], { kind, level: 3 }, 0));
      await t.step(kind, async () => {
        const tool = await peer(kind);
        if (tool) await run(["sh", "-c", `"$0" -dc <"$1/${kind}" | cmp - "$1/data"`, tool, dir]);
      });
    }
    await t.step("python3", async () => {
      const python = await peer("python3");
      const script = `import gzip, sys
assert gzip.open(sys.argv[1] + "/gzip").read() == open(sys.argv[1] + "/data", "rb").read()`;
      if (python) await run([python, "-c", script, dir]);
    });
  });
});
