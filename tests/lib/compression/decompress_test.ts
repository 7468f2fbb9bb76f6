import { deepEqual, equal, rejects } from "node:assert/strict";
import { createGunzip, gzipSync, zstdCompressSync } from "node:zlib";
import { gunzipByZlib, unzstd } from "../../../lib/compression/decompress.ts";
import { ZlibEngine } from "../../../lib/compression/engine.ts";
import { DecompressError } from "../../../lib/compression/error.ts";
import { gunzip } from "../../../lib/compression/gunzip.ts";
import { sniffCompression } from "../../../lib/compression/sniff.ts";
import { peer } from "../../support/peers.ts";
import { run } from "../../support/process.ts";
import { withTempDir } from "../../support/tmp.ts";
import { concat, randomNumbers, randomPieces, utf8 } from "../tar/support.ts";
import { decompress, sample, stream } from "./support.ts";

const MIB = 1 << 20;

/** Around the size of the pieces that decoders give. */
const BLOCK_SIZES = [MIB / 4 - 1, MIB / 4, 0, MIB / 4 + 1, 5, MIB - 1, MIB, MIB + 1];

/** By whatever inflates here, which {@linkcode ./gunzip_test.ts} looks into, and by zlib. */
const GUNZIPS = { "gunzip()": gunzip, "gunzip() of zlib": gunzipByZlib };

const gzip = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes));
const zstd = (bytes: Uint8Array) => new Uint8Array(zstdCompressSync(bytes));
const DECODERS = [
  ...Object.entries(GUNZIPS).map(([name, decoder]) => ({ name, decoder, pack: gzip })),
  { name: "unzstd()", decoder: unzstd, pack: zstd },
];

for (const [name, decoder] of Object.entries(GUNZIPS)) {
  Deno.test(`${name} reads several members`, async () => {
    const parts = [sample(300_000, 1), new Uint8Array(0), sample(700_000, 2)];
    deepEqual(await decompress(decoder, concat(parts.map(gzip))), concat(parts));
    const small = Array.from({ length: 1000 }, (_, i) => sample(i % 7, i));
    deepEqual(await decompress(decoder, concat(small.map(gzip))), concat(small));
  });
}

Deno.test("unzstd() reads several and skippable frames", async () => {
  const parts = [sample(300_000, 1), new Uint8Array(0), sample(700_000, 2)];
  const skippable = concat([Uint8Array.of(0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0), utf8("abc")]);
  const empty = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0);
  const frames = parts.map(zstd);
  deepEqual(await decompress(unzstd, concat([skippable, ...frames, empty, skippable])), concat(parts));
  equal(sniffCompression(skippable), "zstd");
});

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

for (const { name, decoder, pack } of DECODERS) {
  Deno.test(`${name} rejects data that is cut, damaged or followed by something else`, async (t) => {
    const good = pack(sample(3000, 4));
    const bad: (readonly [string, Uint8Array])[] = [
      ...Array.from({ length: 20 }, (_, i) => [`cut by ${i + 1}`, good.subarray(0, -i - 1)] as const),
      ["cut in the header", good.subarray(0, 3)],
      ["cut in the second part", concat([good, good.subarray(0, 50)])],
      ["cut in the header of the second part", concat([good, good.subarray(0, 3)])],
      ["followed by one byte", concat([good, utf8("x")])],
      ["followed by text", concat([good, utf8("some text")])],
      ...(pack === gzip ? [["damaged", good.map((byte, i) => i === 40 ? byte ^ 0xff : byte)] as const] : []),
    ];
    for (const [what, bytes] of bad) {
      await t.step(what, async () => {
        await rejects(() => decompress(decoder, bytes), DecompressError);
      });
    }
  });

  Deno.test(`${name} lets errors of its source through and stops it when left early`, async () => {
    const packed = pack(sample(3 * MIB, 5));
    const failing = async function* () {
      yield* stream([packed.subarray(0, 1000)]);
      throw new Deno.errors.PermissionDenied("not yours");
    };
    await rejects(async () => {
      for await (const _ of decoder(failing())) continue;
    }, Deno.errors.PermissionDenied);
    const closed = Promise.withResolvers<void>();
    const endless = async function* () {
      try {
        for (;;) yield* stream([packed]);
      } finally {
        closed.resolve();
      }
    };
    for await (const _ of decoder(endless())) break;
    await closed.promise;
  });
}

for (const [name, decoder] of Object.entries(GUNZIPS)) {
  Deno.test(`${name} gives the same in pieces that last and in pieces that do not`, async (t) => {
    const whole = BLOCK_SIZES.map((size, i) => sample(size, 20 + i));
    const members = concat(whole.map(gzip));
    const padded = concat([members, new Uint8Array(3000)]);
    for (const [what, bytes] of [["members", members], ["with zeros behind them", padded]] as const) {
      for (const most of [700, 90_000]) {
        await t.step(`${what}, in pieces of up to ${most}`, async () => {
          const lasting: Uint8Array[] = [];
          const fleeting: Uint8Array[] = [];
          const memory = new Set<ArrayBufferLike>();
          const given = () => stream(randomPieces(bytes, randomNumbers(most), most));
          for await (const piece of decoder(given())) lasting.push(piece);
          for await (const piece of decoder(given(), { fleeting: true })) {
            memory.add(piece.buffer);
            fleeting.push(piece.slice());
          }
          deepEqual(concat(lasting), concat(whole));
          deepEqual(concat(fleeting), concat(whole));
          equal(memory.size <= 2, true);
        });
      }
    }
  });

  Deno.test(`${name} refuses what follows the zeros behind a stream, wherever pieces end`, async (t) => {
    const packed = gzip(sample(90_000, 3));
    const zeros = new Uint8Array(20_000);
    const refused = "Cannot decompress gzip data: zeros follow its end, and then something else";
    for (const [what, tail] of [["a member", packed], ["a byte", Uint8Array.of(7)]] as const) {
      const whole = concat([packed, zeros, tail]);
      const cuts = [700, 9_000, 1e6].map((most) => [...randomPieces(whole, randomNumbers(most), most)]);
      for (const pieces of [...cuts, [packed, zeros, tail]]) {
        await t.step(`${what}, in ${pieces.length} pieces`, async () => {
          await rejects(Array.fromAsync(decoder(stream(pieces))), new DecompressError(refused));
        });
      }
    }
  });
}

Deno.test("ZlibEngine is what a stream of node:zlib has, and nothing where that is built otherwise", () => {
  const stream = createGunzip();
  equal(ZlibEngine.of(stream) instanceof ZlibEngine, true);
  stream.close();
  for (const other of [{}, { _handle: {} }, { _handle: { onerror: null, writeSync() {} } }]) {
    equal(ZlibEngine.of(other), undefined);
  }
});

Deno.test("without that engine gunzip() of zlib reads the same of a source that uses its buffer again", async () => {
  const data = sample(6 * MIB, 1);
  const packed = gzip(data);
  const known = ZlibEngine.of;
  ZlibEngine.of = () => undefined;
  try {
    for (const fleeting of [false, true]) {
      const parts: Uint8Array[] = [];
      for await (const part of gunzipByZlib(overwritten(packed), { fleeting })) parts.push(part.slice());
      deepEqual(concat(parts), data);
    }
  } finally {
    ZlibEngine.of = known;
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
