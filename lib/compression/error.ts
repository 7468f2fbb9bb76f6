/** A compressed stream that is damaged, cut short or followed by something else. */
export class DecompressError extends Error {
  override readonly name = "DecompressError";
}
