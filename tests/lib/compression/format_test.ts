import { equal } from "node:assert/strict";
import { createCompressor } from "../../../lib/compression/compress.ts";
import { type Compression, COMPRESSION_FORMAT } from "../../../lib/compression/format.ts";
import { noise, randomNumbers, utf8 } from "../tar/support.ts";
import { sha256Hex } from "../../../lib/oci/digest.ts";

/** What the samples become, by version: whatever changes them is a new version. */
const MADE: Readonly<Record<number, string>> = {
  3: "79fae565a96e2287c5df7c3c2f6d9be460ad043a14fc3f44638399717a661a00",
};

const MIB = 1 << 20;

/** Random bytes, their text, words, a table of numbers, zeros, and nothing: what is searched, and what is not. */
function samples(): readonly Uint8Array[] {
  const random = randomNumbers(11);
  const bytes = noise(MIB + 12_345, random);
  const words = Array.from({ length: 400 }, () => noise(2 + Math.floor(random() * 9), random).toHex());
  const text = Array.from({ length: 90_000 }, () => words[Math.floor(random() * words.length)]!).join(" ");
  const table = new DataView(new ArrayBuffer(MIB / 2));
  for (let at = 0, id = 0; at < table.byteLength; at += 8) {
    table.setUint32(at, id += 1 + Math.floor(3 * random()), true);
  }
  return [
    bytes,
    utf8(bytes.toBase64()),
    utf8(text),
    new Uint8Array(table.buffer),
    new Uint8Array(2 * MIB + 1),
    new Uint8Array(),
  ];
}

async function compressed(input: Uint8Array, compression: Compression): Promise<string> {
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  const compressor = await createCompressor({
    compression,
    threads: 0,
    output: (bytes) => void hash.update(bytes),
  });
  await compressor.write(input);
  await compressor.finish();
  return hash.digest("hex");
}

Deno.test("createCompressor() gives the bytes of its version, which keys of layers have", async () => {
  const digests: string[] = [];
  for (const input of samples()) {
    for (const level of [2, 3, 9]) digests.push(await compressed(input, { kind: "gzip", level }));
    digests.push(await compressed(input, { kind: "zstd", level: 3 }));
  }
  const found = await sha256Hex(digests.join());
  equal(found, MADE[COMPRESSION_FORMAT], `raise COMPRESSION_FORMAT, and note ${found} here`);
});
