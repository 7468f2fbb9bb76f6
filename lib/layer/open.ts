import { createReadStream } from "node:fs";
import { gunzip, sniffCompression, unzstd } from "../gzip/decompress.ts";

const CHUNK = 256 * 1024;

/**
 * The tar inside a layer file, uncompressed. What the file is shows in its first bytes; the media type is not trusted,
 * since images in the wild carry wrong ones.
 *
 * Chunks are up to 256 KiB and stay valid. Leaving the loop early closes the file.
 *
 * @throws {DecompressError} for data that is damaged, cut short or followed by something else
 */
export async function* openLayer(path: string): AsyncGenerator<Uint8Array> {
  const head = new Uint8Array(4);
  {
    using file = await Deno.open(path);
    for (let have = 0, count; have < 4 && (count = await file.read(head.subarray(have))) !== null;) {
      have += count;
    }
  }
  const source = createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Uint8Array>;
  const kind = sniffCompression(head);
  if (kind === "gzip") yield* gunzip(source);
  else if (kind === "zstd") yield* unzstd(source);
  else yield* source;
}
