/** A layer that cannot be read or made as asked. The message is meant for people. */
export class LayerError extends Error {
  override readonly name = "LayerError";
}
