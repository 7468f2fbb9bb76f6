/** A stream of `size` bytes as one array. @throws {RangeError} when more bytes come */
export async function collect(chunks: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** All that comes, as one array. @throws what `fail` gives, as soon as there are more than `limit` bytes */
export async function collectUpTo(
  chunks: AsyncIterable<Uint8Array>,
  limit: number,
  fail: () => Error,
): Promise<Uint8Array> {
  let bytes = new Uint8Array(0);
  let size = 0;
  for await (const chunk of chunks) {
    const end = size + chunk.length;
    if (end > limit) throw fail();
    if (end > bytes.length) {
      bytes = new Uint8Array(bytes.buffer.transfer(Math.min(limit, Math.max(end, 2 * bytes.length))));
    }
    bytes.set(chunk, size); // copied: some streams use their pieces again
    size = end;
  }
  return new Uint8Array(bytes.buffer.transfer(size));
}
