/** Flags of a header (RFC 1952, 2.3.1). */
const EXTRA = 4, NAME = 8, COMMENT = 16;
const KNOWN = 1 | EXTRA | NAME | COMMENT; // 1: it may be text

/**
 * Length of the header of a gzip member that `bytes` begin with: "more" when it does not end there, "strange" when it is
 * none, or has flags that are reserved or mean a checksum of its own.
 */
export function gzipHeaderLength(bytes: Uint8Array): number | "more" | "strange" {
  const begin = [0x1f, 0x8b, 8];
  if (begin.some((byte, i) => i < bytes.length && bytes[i] !== byte)) return "strange";
  if (bytes.length < 10) return "more";
  const flags = bytes[3]!;
  if ((flags & ~KNOWN) !== 0) return "strange";
  let length = 10;
  if (flags & EXTRA) {
    if (bytes.length < length + 2) return "more";
    length += 2 + bytes[length]! + bytes[length + 1]! * 256;
  }
  for (const text of [NAME, COMMENT]) {
    if (!(flags & text)) continue;
    const end = bytes.indexOf(0, length);
    if (end < 0) return "more";
    length = end + 1;
  }
  return length <= bytes.length ? length : "more";
}
