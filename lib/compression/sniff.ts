/** What the first bytes of a stream say about it; "plain" is everything unknown. Needs 4 bytes. */
export function sniffCompression(head: Uint8Array): "gzip" | "zstd" | "plain" {
  if (head[0] === 0x1f && head[1] === 0x8b) return "gzip";
  const rest = head[1] === 0xb5 && head[2] === 0x2f && head[3] === 0xfd;
  const skippable = head[1] === 0x2a && head[2] === 0x4d && head[3] === 0x18;
  return (head[0] === 0x28 && rest) || (((head[0] ?? 0) & 0xf0) === 0x50 && skippable) ? "zstd" : "plain";
}
