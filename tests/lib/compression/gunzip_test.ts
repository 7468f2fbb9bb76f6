/** Inflating by ISA-L gives what zlib gives, and refuses what zlib refuses. */
import { equal } from "node:assert/strict";
import { constants, crc32, deflateRawSync, inflateRawSync } from "node:zlib";
import { gunzipByZlib } from "../../../lib/compression/decompress.ts";
import { DecompressError } from "../../../lib/compression/error.ts";
import { gunzip } from "../../../lib/compression/gunzip.ts";
import { IsalInflater } from "../../../lib/compression/isal.ts";
import { library } from "../../support/peers.ts";
import { run } from "../../support/process.ts";
import { withTempDir } from "../../support/tmp.ts";
import { concat, noise, randomNumbers, randomPieces, utf8 } from "../tar/support.ts";
import { sample, stream } from "./support.ts";

const LIBRARY = "libisal.so.2";

/** It is used on this processor only (`lib/compression/isal.ts` says why). */
const isal = Deno.build.arch === "x86_64" && library(LIBRARY);

interface Header {
  readonly flags?: number;
  /** What follows the ten bytes that all have. */
  readonly fields?: Uint8Array;
  /** Appends a checksum of the header: this many more than the right one. */
  readonly checksum?: number;
}

/** A member, with trailer. */
function member(data: Uint8Array, deflated: Uint8Array, header: Header = {}): Uint8Array<ArrayBuffer> {
  const { flags = 0, fields = new Uint8Array(), checksum } = header;
  const head = concat([Uint8Array.of(0x1f, 0x8b, 8, flags, 1, 2, 3, 4, 0, 3), fields]);
  const trailer = new DataView(new ArrayBuffer(8));
  trailer.setUint32(0, crc32(data), true);
  trailer.setUint32(4, data.length, true);
  const sum = checksum === undefined ? 0 : crc32(head) + checksum;
  const after = checksum === undefined ? [] : [Uint8Array.of(sum & 255, sum >> 8 & 255)];
  return concat([head, ...after, deflated, new Uint8Array(trailer.buffer)]);
}

const plain = (data: Uint8Array, header?: Header) => member(data, deflateRawSync(data), header);

/** What comes out, as text that tells contents apart, or that it is refused. */
async function outcome(decoder: typeof gunzip, pieces: Iterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  try {
    for await (const part of decoder(stream(pieces), { fleeting: true })) parts.push(part.slice());
  } catch (error) {
    if (error instanceof DecompressError) return "refused";
    throw error;
  }
  const whole = concat(parts);
  return `${whole.length} ${crc32(whole)}`;
}

/** Both find the same, however the bytes come. */
async function alike(bytes: Uint8Array, what: string, most: readonly number[] = [1e9]): Promise<string> {
  const wanted = await outcome(gunzipByZlib, [bytes]);
  for (const each of most) {
    const pieces = [...randomPieces(bytes, randomNumbers(each), each)];
    equal(await outcome(gunzip, pieces), wanted, `${what}, in pieces of up to ${each}`);
  }
  return wanted;
}

Deno.test("gunzip() inflates by ISA-L where that is", async () => {
  using inflater = await IsalInflater.create();
  equal(inflater !== undefined, isal);
});

Deno.test("a piece stays as it is until the next but one is asked for", async () => {
  using inflater = await IsalInflater.create();
  if (!inflater) return; // the test above says whether it has to be there
  const data = concat([sample(3 << 20, 15), noise(900_000, randomNumbers(16)), new Uint8Array(5 << 20)]);
  const [packed, random] = [plain(data).subarray(10), randomNumbers(17)];
  const pieces: { readonly shown: Uint8Array; readonly was: Uint8Array }[] = [];
  inflater.start();
  for (let at = 0; !inflater.ended;) {
    const most = random() < 0.5 ? 4 : 200_000; // of a few bytes nothing may come
    const given = inflater.inflate(packed.subarray(at, at + 1 + Math.floor(random() * most)));
    let next = await given.next();
    for (; !next.done; next = await given.next()) {
      const before = pieces.at(-1);
      if (before) equal(crc32(before.shown), crc32(before.was));
      pieces.push({ shown: next.value, was: next.value.slice() });
    }
    at += next.value;
  }
  equal(crc32(concat(pieces.map(({ was }) => was))), crc32(data));
  equal(pieces.length > 20, true);
});

Deno.test("gunzip() inflates what zlib deflates in any way", async (t) => {
  const { Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED } = constants;
  const random = randomNumbers(1);
  const data = {
    nothing: new Uint8Array(),
    "one byte": Uint8Array.of(7),
    "of a few": sample(100, 1),
    "that repeats": sample(700_000, 2),
    "that does not": noise(300_001, random),
    zeros: new Uint8Array(600_000),
    "far apart": concat([noise(32_700, random), new Uint8Array(60), sample(300_000, 3)]),
    "of a piece": sample(1 << 20, 4),
    "of three, nearly": sample((3 << 20) - 1, 5),
  };
  for (const [name, bytes] of Object.entries(data)) {
    await t.step(name, async () => {
      for (const level of [0, 1, 6, 9]) {
        for (const strategy of [Z_DEFAULT_STRATEGY, Z_HUFFMAN_ONLY, Z_RLE, Z_FIXED]) {
          const packed = member(bytes, deflateRawSync(bytes, { level, strategy, memLevel: 1 + level % 9 }));
          const found = await alike(packed, `level ${level}, strategy ${strategy}`, [1e9, 100_000, 3000]);
          equal(found, `${bytes.length} ${crc32(bytes)}`);
        }
      }
    });
  }
});

const text = utf8("a name, which is a text\0");
const extra = concat([Uint8Array.of(0x2c, 0x01), noise(300, randomNumbers(4))]);
const HEADERS: Readonly<Record<string, Header>> = {
  plain: {},
  "that says text": { flags: 1 },
  "with a name": { flags: 8, fields: text },
  "with a comment": { flags: 16, fields: text },
  "with an empty name": { flags: 8, fields: Uint8Array.of(0) },
  "with more": { flags: 4, fields: extra },
  "with nothing more": { flags: 4, fields: Uint8Array.of(0, 0) },
  "with all": { flags: 29, fields: concat([extra, text, text]) },
  "with a checksum": { flags: 2, checksum: 0 },
  "with all and a checksum": { flags: 31, fields: concat([extra, text, text]), checksum: 0 },
  "with a wrong checksum": { flags: 2, checksum: 1 },
  "with a name of 300 kB": { flags: 8, fields: concat([new Uint8Array(300_000).fill(65), text]) },
  "with a reserved flag": { flags: 32 },
  "with a name that has no end": { flags: 8, fields: new Uint8Array(300_000).fill(65) },
};

Deno.test("gunzip() reads and refuses the headers that zlib does", async (t) => {
  const [before, data] = [sample(5000, 5), sample(100_000, 6)];
  for (const [name, header] of Object.entries(HEADERS)) {
    await t.step(name, async () => {
      const sizes = (header.fields?.length ?? 0) > 1000 ? [1e9, 30_000] : [1e9, 30_000, 700, 7];
      const first = await alike(plain(data, header), "first", sizes);
      const second = concat([plain(before), plain(data, header), plain(before)]);
      const after = await alike(second, "second", sizes);
      equal(after === "refused", first === "refused");
    });
  }
});

Deno.test("gunzip() leaves a large member to zlib whose header has a checksum", async () => {
  const data = sample(3 << 20, 14);
  equal(await alike(plain(data, { flags: 2, checksum: 0 }), "alone"), `${data.length} ${crc32(data)}`);
});

Deno.test("gunzip() refuses what is cut anywhere", async () => {
  const whole = concat([
    plain(sample(60, 7), HEADERS["with all"]),
    plain(noise(40, randomNumbers(8))),
    plain(sample(900, 9), { flags: 8, fields: text }),
  ]);
  const found = new Set<string>();
  for (let length = 0; length <= whole.length; length++) {
    found.add(await alike(whole.subarray(0, length), `${length} bytes`, [1e9, 5]));
  }
  equal(found.size, 4); // one member, two, three, refused
});

Deno.test("gunzip() finds what zlib does where a bit is another one", async () => {
  const whole = concat([plain(sample(60, 7), { flags: 9, fields: text }), plain(sample(900, 9))]);
  const found = { refused: 0, read: 0 };
  for (let bit = 0; bit < whole.length * 8; bit++) {
    const damaged = whole.slice();
    damaged[bit >> 3]! ^= 1 << (bit & 7);
    found[await alike(damaged, `bit ${bit}`) === "refused" ? "refused" : "read"]++;
  }
  // What may be anything: times, systems, a name.
  equal(found.read > 100 && found.refused > 3000, true, JSON.stringify(found));
});

function inflated(deflated: Uint8Array): Uint8Array {
  try {
    return inflateRawSync(deflated);
  } catch {
    return new Uint8Array();
  }
}

Deno.test("gunzip() finds what zlib does in deflated data that nobody made", async () => {
  const random = randomNumbers(10);
  const good = [6, 0].map((level) => deflateRawSync(sample(3000, 11), { level }));
  good.push(deflateRawSync(sample(3000, 12), { strategy: constants.Z_FIXED }));
  for (let round = 0; round < 3000; round++) {
    const bytes = good[round % good.length]!.slice();
    for (let flips = 1 + random() * 3; flips > 0; flips--) {
      bytes[Math.floor(random() * (round % 2 ? bytes.length : 60))]! ^= 1 << Math.floor(random() * 8);
    }
    await alike(member(inflated(bytes), bytes), `round ${round}`);
  }
});

/** What a program of its own, with these rights and variables, reads of `file`; it imports no zlib if `without`. */
async function readApart(
  file: string,
  { rights, env = {}, without }: { rights: string[]; env?: Record<string, string>; without: boolean },
): Promise<string> {
  const module = new URL("../../../lib/layer/open.ts", import.meta.url).href;
  const none = "data:text/javascript,throw new Error('node:zlib is loaded')";
  const map = `data:application/json,${JSON.stringify({ imports: { "node:zlib": none } })}`;
  const code = `import { openLayer } from ${JSON.stringify(module)};
const parts = [];
for await (const part of openLayer(${JSON.stringify(file)})) parts.push(part);
console.log(new Uint8Array(await new Blob(parts).arrayBuffer()).toBase64());`;
  const { stdout } = await run([
    Deno.execPath(),
    "run",
    "--no-check",
    "--quiet",
    "--allow-read",
    ...rights,
    ...(without ? ["--no-config", `--import-map=${map}`] : []),
    `data:text/javascript,${encodeURIComponent(code)}`,
  ], { env });
  return stdout.trim();
}

Deno.test("a layer is read without node:zlib by ISA-L, and by zlib where that may not be called or is another one", async (t) => {
  await withTempDir(async (dir) => {
    const data = sample(50_000, 13);
    const file = `${dir}/layer`;
    await Deno.writeFile(file, plain(data));
    await t.step("without the right", async () => {
      equal(await readApart(file, { rights: ["--deny-ffi"], without: false }), data.toBase64());
    });
    if (!isal) return;
    await t.step("by ISA-L", async () => {
      equal(await readApart(file, { rights: ["--allow-ffi"], without: true }), data.toBase64());
    });
    await t.step("that inflates nothing", async () => {
      await Deno.mkdir(`${dir}/lib`);
      await Deno.writeFile(`${dir}/lib/${LIBRARY}`, await idleLibrary());
      const env = { LD_LIBRARY_PATH: `${dir}/lib` };
      equal(await readApart(file, { rights: ["--allow-ffi"], env, without: false }), data.toBase64());
    });
  });
});

/** A copy of the library whose function for inflating returns at once. */
async function idleLibrary(): Promise<Uint8Array> {
  const opened = Deno.dlopen(LIBRARY, { isal_inflate: { type: "pointer" } });
  const at = Deno.UnsafePointer.value(opened.symbols.isal_inflate);
  for (const line of (await Deno.readTextFile("/proc/self/maps")).split("\n")) {
    const [range = "", , offset = "", , , path = ""] = line.split(/ +/);
    const [from, to] = range.split("-").map((address) => BigInt(`0x${address || 0}`));
    if (from === undefined || to === undefined || at < from || at >= to) continue;
    const bytes = await Deno.readFile(path);
    bytes.set([0x31, 0xc0, 0xc3], Number(at - from + BigInt(`0x${offset}`))); // xor eax, eax; ret
    opened.close();
    return bytes;
  }
  throw new Error(`${LIBRARY} is not where its function is`);
}

/** Inflates four streams at once, on other threads, as long as nobody ends it. */
const inflating = (file: string) =>
  `import { openLayer } from ${JSON.stringify(new URL("../../../lib/layer/open.ts", import.meta.url).href)};
for (let left = 4; left > 0; left--) {
  const pieces = openLayer(${JSON.stringify(file)}, { fleeting: true });
  for (let piece = 0; piece < 3; piece++) await pieces.next();
}
`;

const ENDS: Readonly<
  Record<string, (program: string) => { readonly code: string; readonly status: number }>
> = {
  "an error that nobody catches": (program) => ({ code: `${program}throw new Error("the end");`, status: 1 }),
  "a promise that fails": (program) => ({
    code: `${program}Promise.reject(new Error("the end"));`,
    status: 1,
  }),
  "Deno.exit()": (program) => ({ code: `${program}console.error("the end"); Deno.exit(3);`, status: 3 }),
  "terminate()": (program) => ({
    code: `const text = ${JSON.stringify(`${program}postMessage(0);`)};
for (let left = 4; left > 0; left--) {
  const worker = new Worker("data:text/javascript," + encodeURIComponent(text), { type: "module" });
  await new Promise((resolve) => worker.onmessage = resolve);
  worker.terminate();
}
console.error("the end");`,
    status: 0,
  }),
};

Deno.test("a program that ends while layers are inflated says why, and does not crash", async (t) => {
  await withTempDir(async (dir) => {
    const file = `${dir}/layer`;
    const noisy = noise(1 << 20, randomNumbers(18)).map((byte) => byte & 63);
    await Deno.writeFile(file, plain(concat(Array.from({ length: 8 }, () => noisy))));
    for (const [name, end] of Object.entries(ENDS)) {
      await t.step(name, async () => {
        const { code, status } = end(inflating(file));
        const { code: found, signal, stderr } = await new Deno.Command(Deno.execPath(), {
          args: ["run", "-A", "--no-check", "--quiet", `data:text/javascript,${encodeURIComponent(code)}`],
        }).output();
        equal(signal, null);
        equal(found, status);
        equal(new TextDecoder().decode(stderr).includes("the end"), true);
      });
    }
  });
});
