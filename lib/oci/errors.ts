/** An image that is absent, malformed or not made for the wanted platform. The message is meant for people. */
export class OciError extends Error {
  /** Tells it from other errors. */
  override readonly name = "OciError";
  /**
   * What cannot be done, and why.
   *
   * @param kind whether it is not there, or not as it should be
   * @param message one or more sentences, the last without a period
   * @param options what was thrown before, and what to do
   */
  constructor(
    readonly kind: "missing" | "invalid",
    message: string,
    options: ErrorOptions & { readonly fix?: string } = {},
  ) {
    super(message, options);
    this.fix = options.fix;
  }
  /** What to do about it, where more is known than the message says. */
  readonly fix: string | undefined;
}
