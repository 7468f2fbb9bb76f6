/**
 * MurmurHash3, the x86 variant with 32 bits and seed 0, as 8 hex digits in little-endian byte order.
 *
 * No protection against anybody who wants two texts with one hash.
 */
export function murmur3(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tail = bytes.length & ~3;
  let hash = 0;
  for (let at = 0; at < tail; at += 4) {
    hash ^= scramble(view.getUint32(at, true));
    hash = (Math.imul(rotate(hash, 13), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let at = bytes.length - 1; at >= tail; at--) rest = (rest << 8) | bytes[at]!;
  hash ^= scramble(rest) ^ bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  const out = new DataView(new ArrayBuffer(4));
  out.setUint32(0, (hash ^ (hash >>> 16)) >>> 0, true);
  return out.getUint32(0).toString(16).padStart(8, "0");
}

function scramble(block: number): number {
  return Math.imul(rotate(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}
