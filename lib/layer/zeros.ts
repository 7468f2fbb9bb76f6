/** Whether all bytes are zero. */
export function isZero(chunk: Uint8Array): boolean {
  let at = 0;
  if (chunk.byteOffset % 4 === 0) {
    const words = new Int32Array(chunk.buffer, chunk.byteOffset, chunk.length >> 2);
    for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
    at = words.length * 4;
  }
  for (; at < chunk.length; at++) if (chunk[at] !== 0) return false;
  return true;
}
