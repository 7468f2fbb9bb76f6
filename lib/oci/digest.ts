const SHA256 = /^sha256:[0-9a-f]{64}$/;

/** Whether `text` is a digest that can be verified here: `sha256:` and 64 lower-case hex digits. */
export function isSha256(text: unknown): text is string {
  return typeof text === "string" && SHA256.test(text);
}

/** The sha256 digest of bytes in memory (image-spec descriptor.md#digests). */
export async function sha256Of(bytes: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return "sha256:" + Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
