import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import { createGunzip, gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { createCompressor } from "../../../lib/compression/compress.ts";
import type { Compression } from "../../../lib/compression/format.ts";
import { gunzip, unzstd } from "../../../lib/compression/decompress.ts";
import { ZlibEngine } from "../../../lib/compression/engine.ts";
import { DecompressError } from "../../../lib/compression/error.ts";
import { sniffCompression } from "../../../lib/compression/sniff.ts";
import { peer } from "../../support/peers.ts";
import { run } from "../../support/process.ts";
import { withTempDir } from "../../support/tmp.ts";
import { concat, noise, randomNumbers, randomPieces, utf8 } from "../tar/support.ts";

const MIB = 1 << 20;

/** Around the size of the pieces that {@linkcode gunzip} gives. */
const BLOCK_SIZES = [MIB / 4 - 1, MIB / 4, 0, MIB / 4 + 1, 5];

async function compress(
  chunks: Iterable<Uint8Array>,
  compression: Compression,
  threads: number,
  expectedSize?: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  const compressor = createCompressor({
    compression,
    threads,
    ...(expectedSize !== undefined && { expectedSize }),
    output: (bytes) => void parts.push(bytes.slice()),
  });
  for (const chunk of chunks) await compressor.write(chunk);
  await compressor.finish();
  return concat(parts);
}

async function decompress(
  decoder: typeof gunzip,
  bytes: Uint8Array,
  random = randomNumbers(9),
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of decoder(stream(randomPieces(bytes, random, 100_000)))) parts.push(part);
  return concat(parts);
}

async function* stream(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

/** Data with some order in it, as files have. */
function sample(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const random = randomNumbers(seed);
  const words = Array.from({ length: 500 }, () => noise(3 + Math.floor(random() * 20), random));
  const out = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const word = words[Math.floor(random() * words.length)]!.subarray(0, length - at);
    out.set(word, at);
    at += word.length;
  }
  return out;
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

Deno.test("createCompressor() rejects levels that are not offered", () => {
  for (
    const [kind, level] of [["gzip", 1], ["gzip", 10], ["gzip", 2.5], ["zstd", 0], ["zstd", 20]] as const
  ) {
    throws(() => createCompressor({ compression: { kind, level }, threads: 0, output() {} }), RangeError);
  }
});

Deno.test("createCompressor() hands on what its output throws", async (t) => {
  const data = sample(5 * MIB, 7);
  for (const threads of [0, 2]) {
    await t.step(`${threads} threads`, async () => {
      let calls = 0;
      const compressor = createCompressor({
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

Deno.test("gunzip() reads several members, unzstd() several and skippable frames", async () => {
  const parts = [sample(300_000, 1), new Uint8Array(0), sample(700_000, 2)];
  deepEqual(
    await decompress(gunzip, concat(parts.map((part) => new Uint8Array(gzipSync(part))))),
    concat(parts),
  );
  const skippable = concat([Uint8Array.of(0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0), utf8("abc")]);
  const empty = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0);
  const frames = parts.map((part) => new Uint8Array(zstdCompressSync(part)));
  deepEqual(await decompress(unzstd, concat([skippable, ...frames, empty, skippable])), concat(parts));
  equal(sniffCompression(skippable), "zstd");
});

Deno.test("gunzip() gives the same in pieces that last and in pieces that do not", async (t) => {
  const whole = BLOCK_SIZES.map((size, i) => sample(size, 20 + i));
  const members = concat(whole.map((part) => new Uint8Array(gzipSync(part))));
  const padded = concat([members, new Uint8Array(3000)]);
  for (const [name, bytes] of [["members", members], ["with zeros behind them", padded]] as const) {
    for (const most of [700, 90_000]) {
      await t.step(`${name}, in pieces of up to ${most}`, async () => {
        const lasting: Uint8Array[] = [];
        const fleeting: Uint8Array[] = [];
        const memory = new Set<ArrayBufferLike>();
        const given = () => stream(randomPieces(bytes, randomNumbers(most), most));
        for await (const piece of gunzip(given())) lasting.push(piece);
        for await (const piece of gunzip(given(), { fleeting: true })) {
          memory.add(piece.buffer);
          fleeting.push(piece.slice());
        }
        deepEqual(concat(lasting), concat(whole));
        deepEqual(concat(fleeting), concat(whole));
        equal(memory.size, 1);
      });
    }
  }
});

Deno.test("ZlibEngine is what a stream of node:zlib has, and nothing where that is built otherwise", () => {
  const stream = createGunzip();
  equal(ZlibEngine.of(stream) instanceof ZlibEngine, true);
  stream.close();
  for (const other of [{}, { _handle: {} }, { _handle: { onerror: null, writeSync() {} } }]) {
    equal(ZlibEngine.of(other), undefined);
  }
});

Deno.test("without that engine gunzip() reads the same of a source that uses its buffer again", async () => {
  const data = sample(6 * MIB, 1);
  const packed = gzipSync(data);
  const known = ZlibEngine.of;
  ZlibEngine.of = () => undefined;
  try {
    for (const fleeting of [false, true]) {
      const parts: Uint8Array[] = [];
      for await (const part of gunzip(overwritten(packed), { fleeting })) parts.push(part.slice());
      deepEqual(concat(parts), data);
    }
  } finally {
    ZlibEngine.of = known;
  }
});

Deno.test("gunzip() refuses what follows the zeros behind a stream, wherever pieces end", async (t) => {
  const packed = new Uint8Array(gzipSync(sample(90_000, 3)));
  const zeros = new Uint8Array(20_000);
  const refused = "Cannot decompress gzip data: zeros follow its end, and then something else";
  for (const [what, tail] of [["a member", packed], ["a byte", Uint8Array.of(7)]] as const) {
    const whole = concat([packed, zeros, tail]);
    const cuts = [700, 9_000, 1e6].map((most) => [...randomPieces(whole, randomNumbers(most), most)]);
    for (const pieces of [...cuts, [packed, zeros, tail]]) {
      await t.step(`${what}, in ${pieces.length} pieces`, async () => {
        await rejects(Array.fromAsync(gunzip(stream(pieces))), new DecompressError(refused));
      });
    }
  }
});

/** Pieces in one buffer that is filled anew when the next one is asked for. */
async function* overwritten(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(10_000);
  for (let at = 0; at < bytes.length; at += buffer.length) {
    const piece = bytes.subarray(at, at + buffer.length);
    buffer.set(piece);
    yield buffer.subarray(0, piece.length);
    buffer.fill(0);
  }
}

Deno.test("unzstd() reads what the zstd tool writes", async () => {
  const zstd = await peer("zstd");
  if (!zstd) return;
  await withTempDir(async (dir) => {
    const data = concat([sample(2 * MIB, 3), new Uint8Array(MIB)]);
    await Deno.writeFile(`${dir}/data`, data);
    for (const flags of ["-1 --no-check", "-19 --check", "--fast=5", "--long=27"]) {
      await run([zstd, "-q", "-f", ...flags.split(" "), "-o", `${dir}/out`, `${dir}/data`]);
      deepEqual(await decompress(unzstd, await Deno.readFile(`${dir}/out`)), data, flags);
    }
  });
});

Deno.test("gunzip() and unzstd() reject data that is cut, damaged or followed by something else", async (t) => {
  const data = sample(3000, 4);
  const packed = { gzip: new Uint8Array(gzipSync(data)), zstd: new Uint8Array(zstdCompressSync(data)) };
  for (const kind of ["gzip", "zstd"] as const) {
    const good = packed[kind];
    const bad: (readonly [string, Uint8Array])[] = [
      ...Array.from({ length: 20 }, (_, i) => [`cut by ${i + 1}`, good.subarray(0, -i - 1)] as const),
      ["cut in the header", good.subarray(0, 3)],
      ["cut in the second part", concat([good, good.subarray(0, 50)])],
      ["cut in the header of the second part", concat([good, good.subarray(0, 3)])],
      ["followed by one byte", concat([good, utf8("x")])],
      ["followed by text", concat([good, utf8("some text")])],
      ...(kind === "gzip"
        ? [["damaged", good.map((byte, i) => i === 40 ? byte ^ 0xff : byte)] as const]
        : []),
    ];
    for (const [name, bytes] of bad) {
      await t.step(`${kind} ${name}`, async () => {
        await rejects(() => decompress(DECODERS[kind], bytes), DecompressError);
      });
    }
  }
});

Deno.test("gunzip() lets errors of its source through and stops it when left early", async () => {
  const data = sample(3 * MIB, 5);
  const packed = { gzip: new Uint8Array(gzipSync(data)), zstd: new Uint8Array(zstdCompressSync(data)) };
  for (const kind of ["gzip", "zstd"] as const) {
    const failing = async function* () {
      yield* stream([packed[kind].subarray(0, 1000)]);
      throw new Deno.errors.PermissionDenied("not yours");
    };
    await rejects(async () => {
      for await (const _ of DECODERS[kind](failing())) continue;
    }, Deno.errors.PermissionDenied);
  }
  const closed = Promise.withResolvers<void>();
  const endless = async function* () {
    try {
      for (;;) yield* stream([packed.gzip]);
    } finally {
      closed.resolve();
    }
  };
  for await (const _ of gunzip(endless())) break;
  await closed.promise;
});
