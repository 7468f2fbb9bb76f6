/** Splits a byte stream into lines of UTF-8 text. A last line without its end is left out. */
export async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let held = "";
  for await (
    const text of stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
  ) {
    const lines = (held + text).split("\n");
    held = lines.pop()!;
    yield* lines;
  }
}
