/** Run by writer_test.ts: writes and reads back a layer of 2 GiB, then prints its peak memory in KiB. */
import { openLayer } from "../../../lib/layer/open.ts";
import { createLayerWriter } from "../../../lib/layer/writer.ts";
import { TarParser } from "../../../lib/tar/parse.ts";
import { encodeTarHeader, TAR_TRAILER } from "../../../lib/tar/encode.ts";

const SIZE = 2 ** 31;
const [file, kind] = Deno.args as [string, "gzip" | "zstd"];
const chunk = new Uint8Array(1 << 20);
for (let at = 0; at < chunk.length; at += 1 << 18) crypto.getRandomValues(chunk.subarray(at, at + (1 << 15)));

const writer = await createLayerWriter({ file, compression: { kind, level: 2 }, threads: 2 });
await writer.write(
  encodeTarHeader({ path: "big", type: "file", mode: 0o644, uid: 0, gid: 0, size: SIZE, mtime: 0 }),
);
for (let left = SIZE; left > 0; left -= chunk.length) await writer.write(chunk);
await writer.write(TAR_TRAILER);
const { size } = await writer.close();

let bytes = 0;
const parser = new TarParser({ entry() {}, data: (part) => void (bytes += part.length), end() {} });
for await (const part of openLayer(file)) parser.push(part);
parser.finish();
const peak = Number(Deno.readTextFileSync("/proc/self/status").match(/VmHWM:\s+(\d+)/)![1]);
const line = JSON.stringify({ peak, bytes, sizeMatches: (await Deno.stat(file)).size === size });
await Deno.stdout.write(new TextEncoder().encode(line));
