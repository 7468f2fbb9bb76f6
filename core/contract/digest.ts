/** `sha256:` followed by 64 lower-case hex digits (OCI image-spec, descriptor.md#digests). */
export type Digest = string & { readonly __brand: "Digest" };

/** 64 lower-case hex digits: the sha256 of a stage's canonical facts. */
export type Signature = string & { readonly __brand: "Signature" };

const HEX64 = /^[0-9a-f]{64}$/;
const encoder = new TextEncoder();

/** Lower-case hex of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  let out = "";
  for (const byte of bytes) out += byte < 16 ? "0" + byte.toString(16) : byte.toString(16);
  return out;
}

/**
 * sha256 of a value that is already in memory, as 64 hex digits.
 *
 * Uses WebCrypto, which costs nothing at start-up; hash streams and layers with `node:crypto` instead.
 */
export async function sha256Hex(data: string | Uint8Array): Promise<string> {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)));
}

/** The digest of a value that is already in memory. */
export async function digestOf(data: string | Uint8Array): Promise<Digest> {
  return `sha256:${await sha256Hex(data)}` as Digest;
}

/** Whether `text` is a digest this engine can verify: sha256 only. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && text.startsWith("sha256:") && HEX64.test(text.slice(7));
}

/** Whether `text` is a stage signature. */
export function isSignature(text: unknown): text is Signature {
  return typeof text === "string" && HEX64.test(text);
}

/** Turns 64 hex digits into a digest. @throws {TypeError} when `hex` is anything else. */
export function digestFromHex(hex: string): Digest {
  if (!HEX64.test(hex)) {
    throw new TypeError(`Cannot make a digest of "${hex}": expected 64 lower-case hex digits`);
  }
  return `sha256:${hex}` as Digest;
}

/** The 64 hex digits of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice(7);
}
