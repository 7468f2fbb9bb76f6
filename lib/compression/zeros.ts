import { DecompressError } from "./error.ts";

/** For what follows a gzip stream. @throws {DecompressError} */
export function requireZeros(bytes: Uint8Array): void {
  if (bytes.every((byte) => byte === 0)) return;
  throw new DecompressError("Cannot decompress gzip data: zeros follow its end, and then something else");
}
