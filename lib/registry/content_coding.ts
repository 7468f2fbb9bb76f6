/** What proxies do to an answer on its way (`Content-Encoding`, RFC 9110 section 8.4), undone. */
import { DecompressError } from "../compression/error.ts";
import { gunzipByZlib, inflate, unbrotli, unzstd } from "../compression/decompress.ts";

type Bytes = AsyncIterable<Uint8Array>;

/** Undoes the codings of a header, the last one first. @throws {DecompressError} also when there is one that nobody knows */
export function decodeContent(body: Bytes, codings: readonly string[]): Bytes {
  return codings.reduceRight((inner: Bytes, coding) => decode(inner, coding), body);
}

/** The codings that a `Content-Encoding` value names, in lower case; those that change nothing are left out. */
export function contentCodings(header: string | undefined): readonly string[] {
  return (header ?? "").split(",").map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== "" && coding !== "identity");
}

/** Nothing stays nothing, and what does not look like what it is said to be is taken as it is. */
async function* decode(body: Bytes, coding: string): AsyncGenerator<Uint8Array> {
  const { head, all } = await peek(body, 4);
  if (head.length === 0) return;
  yield* decoderOf(coding, head)(all);
}

function decoderOf(coding: string, head: Uint8Array): (body: Bytes) => Bytes {
  const [a = 0, b = 0, c = 0, d = 0] = head;
  switch (coding) {
    case "gzip":
    case "x-gzip":
      return a === 0x1f && b === 0x8b ? gunzipByZlib : asItIs;
    case "zstd":
      return a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd ? unzstd : asItIs;
    case "br":
      return unbrotli;
    case "deflate": {
      // Some servers leave zlib's frame out (RFC 9110 section 8.4.1.2).
      const framed = (a & 0x0f) === 8 && ((a << 8) | b) % 31 === 0;
      return (bytes) => inflate(bytes, { raw: !framed });
    }
    default:
      throw new DecompressError(`Cannot decode "${coding}": nobody knows how`);
  }
}

function asItIs(body: Bytes): Bytes {
  return body;
}

/** The first `count` bytes, or all when there are fewer, and the whole with them. */
async function peek(body: Bytes, count: number): Promise<{ readonly head: Uint8Array; readonly all: Bytes }> {
  const iterator = body[Symbol.asyncIterator]();
  const pieces: Uint8Array[] = [];
  let size = 0;
  while (size < count) {
    const { done, value } = await iterator.next();
    if (done) break;
    pieces.push(value);
    size += value.length;
  }
  const head = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    head.set(piece, at);
    at += piece.length;
  }
  async function* all(): AsyncGenerator<Uint8Array> {
    try {
      if (head.length > 0) yield head;
      for (let next; !(next = await iterator.next()).done;) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { head, all: all() };
}
