/** An image that is absent, malformed or not made for the wanted platform. The message is meant for people. */
export class OciError extends Error {
  override readonly name = "OciError";
  constructor(readonly kind: "missing" | "invalid", message: string, options?: ErrorOptions) {
    super(message, options);
  }
}
