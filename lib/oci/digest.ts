import { sha256Of } from "../sha256.ts";

/** `sha256:` followed by 64 lower-case hex digits (OCI image-spec, descriptor.md#digests). */
export type Digest = string & { readonly __brand: "Digest" };

const SHA256 = /^sha256:[0-9a-f]{64}$/;
const encoder = new TextEncoder();

/** Whether `text` is a digest that can be verified here: sha256 only. */
export function isDigest(text: unknown): text is Digest {
  return typeof text === "string" && SHA256.test(text);
}

/** Takes a text for a digest. @throws {TypeError} when it is none */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new TypeError(`Cannot read digest "${text}": expected "sha256:" and 64 lower-case hex digits`);
}

/** Turns 64 hex digits, as hashes of `node:crypto` give them, into a digest. @throws {TypeError} */
export function digestFromHex(hex: string): Digest {
  return parseDigest(`sha256:${hex}`);
}

/** The 64 hex digits of a digest. */
export function digestHex(digest: Digest): string {
  return digest.slice(7);
}

/** So many values are hashed by WebCrypto before it pays to open what takes a fraction of the time for a small one. */
const FEW = 100;
const SMALL = 64 * 1024;
let hashed = 0;

/**
 * sha256 of a value that is already in memory, as 64 hex digits.
 *
 * Uses WebCrypto, which costs nothing at start-up, unless there are many; streams and layers are for {@linkcode createSha256}.
 */
export async function sha256Hex(data: string | Uint8Array): Promise<string> {
  const bytes = typeof data === "string" ? encoder.encode(data) : data;
  if (bytes.length < SMALL && ++hashed > FEW) {
    return sha256Of(bytes);
  }
  return hexOf(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>)));
}

/** Bytes as hex, two digits for each. Node.js has `toHex()` from 25 on. */
export function hexOf(bytes: Uint8Array): string {
  return bytes.toHex?.() ?? Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The digest of a value that is already in memory. */
export async function digestOf(data: string | Uint8Array): Promise<Digest> {
  return digestFromHex(await sha256Hex(data));
}
