/** Whether all bytes are zero. */
export function isZero(chunk: Uint8Array): boolean {
  let at = 0;
  if (chunk.byteOffset % 8 === 0) {
    const words = new BigUint64Array(chunk.buffer as ArrayBuffer, chunk.byteOffset, chunk.length >> 3);
    for (const word of words) if (word !== 0n) return false;
    at = words.length * 8;
  }
  for (; at < chunk.length; at++) if (chunk[at] !== 0) return false;
  return true;
}
