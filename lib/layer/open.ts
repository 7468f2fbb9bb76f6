import { sniffCompression } from "../compression/sniff.ts";
import { unreachable } from "../unreachable.ts";

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
  const kind = sniffCompression(head);
  if (kind === "plain") return yield* readChunks(path);
  // Not imported above: node:zlib costs start-up time that most runs need not pay.
  const { gunzip, unzstd } = await import("../compression/decompress.ts");
  if (kind === "gzip") yield* gunzip(readChunks(path));
  else if (kind === "zstd") yield* unzstd(readChunks(path));
  else unreachable(kind);
}

/** The bytes of a file in chunks of up to 256 KiB, which stay valid. */
export async function* readChunks(path: string): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  const read = async () => {
    const chunk = new Uint8Array(256 * 1024);
    const count = await file.read(chunk);
    return count === null ? undefined : chunk.subarray(0, count);
  };
  // The next one is read while the last one is worked on.
  for (let next = read();;) {
    const chunk = await next;
    if (!chunk) return;
    next = read();
    next.catch(() => {}); // seen above, unless the loop is left
    yield chunk;
  }
}
