import { gunzip } from "../compression/gunzip.ts";
import { sniffCompression } from "../compression/sniff.ts";
import { unreachable } from "../unreachable.ts";

/**
 * The tar inside a layer file, uncompressed. What the file is shows in its first bytes; the media type is not trusted,
 * since images in the wild carry wrong ones.
 *
 * Chunks are up to 1 MiB and stay valid; with `fleeting`, which is quicker, until the next one is asked for. Leaving the
 * loop early closes the file.
 *
 * @throws {DecompressError} for data that is damaged, cut short or followed by something else than zeros
 */
export async function* openLayer(
  path: string,
  { fleeting = false }: { readonly fleeting?: boolean } = {},
): AsyncGenerator<Uint8Array> {
  const kind = await layerCompression(path);
  if (kind === "plain") return yield* readChunks(path, { fleeting });
  if (kind === "gzip") yield* gunzip(readChunks(path, { fleeting: true, size: 1024 * 1024 }), { fleeting });
  else if (kind === "zstd") yield* unzstd(readChunks(path));
  else unreachable(kind);
}

/** How a layer file is compressed. */
export async function layerCompression(path: string): Promise<"gzip" | "zstd" | "plain"> {
  const head = new Uint8Array(4);
  using file = await Deno.open(path);
  for (let have = 0, count; have < 4 && (count = await file.read(head.subarray(have))) !== null;) {
    have += count;
  }
  return sniffCompression(head);
}

async function* unzstd(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  // Not imported above: node:zlib costs start-up time that most runs need not pay.
  const zlib = await import("../compression/decompress.ts");
  yield* zlib.unzstd(source);
}

/** The bytes of a file in chunks of up to `size`, which stay valid, or `fleeting` until the next one is asked for. */
export async function* readChunks(
  path: string,
  { fleeting = false, size = 256 * 1024 }: { readonly fleeting?: boolean; readonly size?: number } = {},
): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  const spare: Uint8Array<ArrayBuffer>[] = [];
  const read = async () => {
    const whole = spare.pop() ?? new Uint8Array(size);
    const count = await file.read(whole);
    return count === null ? undefined : { whole, chunk: whole.subarray(0, count) };
  };
  // The next one is read while the last one is worked on.
  for (let next = read();;) {
    const found = await next;
    if (!found) return;
    next = read();
    next.catch(() => {}); // seen above, unless the loop is left
    yield found.chunk;
    if (fleeting) spare.push(found.whole);
  }
}
