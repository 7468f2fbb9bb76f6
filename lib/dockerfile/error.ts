/** Something in a Dockerfile that cannot be read. The message is meant for people. */
export class DockerfileError extends Error {
  override readonly name = "DockerfileError";
  /** `line` is 1-based. */
  constructor(readonly line: number, message: string) {
    super(message);
  }
}
